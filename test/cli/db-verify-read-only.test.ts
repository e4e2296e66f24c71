/** `moloch db verify` of a home on a disk that is mounted for reading only, in a mount namespace of its own. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { Ledger } from '../../src/ledger/ledger.ts'
import { silentLog } from '../../src/log.ts'
import { createHome } from '../../src/node/create-home.ts'
import { homePaths } from '../../src/node/home.ts'
import { applyAll } from '../support/chain-builder.ts'
import { ChainMaker } from '../support/chain-maker.ts'

const cli = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))
const READ_ONLY = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && ! touch "$1/probe" 2>/dev/null'
const unshare = (script: string, ...args: string[]) =>
  spawnSync('unshare', ['-rm', 'sh', '-c', script, 'sh', ...args], { encoding: 'utf8' })

const dir = mkdtempSync(join(tmpdir(), 'moloch-probe-'))
const mayMount = unshare(READ_ONLY, dir).status === 0
rmSync(dir, { recursive: true })
if (!mayMount) console.warn('left out: db verify on a read-only mount; this machine gives no mount namespace')

test.runIf(mayMount)('verifies the home and writes nothing there', async () => {
  const home = mkdtempSync(join(tmpdir(), 'moloch-'))
  onTestFinished(() => rmSync(home, { recursive: true }))
  const maker = new ChainMaker({ eventsPerBlock: 3 })
  const { genesis } = maker
  await createHome({ home: join(home, 'home'), genesis, settings: {}, seeds: {} })
  const paths = homePaths(join(home, 'home'))
  const ledger = await Ledger.open({ path: paths.chain, genesis, log: silentLog })
  await applyAll(
    ledger,
    Array.from({ length: 5 }, () => maker.next())
  )
  await ledger.close()
  const names = readdirSync(home, { recursive: true })
  const run = 'exec "$2" "$3" db verify --home "$1/home" --json'
  const { status, stdout, stderr } = unshare(`${READ_ONLY} && ${run}`, home, process.execPath, cli)
  expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringContaining('cannot be written to') })
  expect(JSON.parse(stdout)).toMatchObject({ ok: true, height: 5, events: 15 })
  expect(readdirSync(home, { recursive: true })).toEqual(names)
})
