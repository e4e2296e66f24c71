import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { concatBytes, toHex, u32be } from '../../src/codec/bytes.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { verifyHome } from '../../src/ledger/verify/verify.ts'
import { silentLog } from '../../src/log.ts'
import { chainInMemory } from '../support/chain-maker.ts'
import { Random } from '../support/random.ts'
import { tempDir } from '../support/temp-dir.ts'

const CHILD = fileURLToPath(new URL('support/crash-child.mjs', import.meta.url))
const seed = Number(process.env.MOLOCH_SEED ?? 1)
const KILLS = Math.max(1, Math.round(6 * Number(process.env.MOLOCH_RUNS ?? 1)))

/** What a child said was on disk before it died. */
interface Heard {
  tip: number
  saved: number
  done: boolean
}

/** Runs the child and kills it the given number of lines after it has opened the database. */
function runAndKill(args: string[], lines: number): Promise<Heard> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [CHILD, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
    const heard: Heard = { tip: 0, saved: -1, done: false }
    let left = lines
    createInterface(child.stdout).on('line', (line) => {
      const [what, number] = line.split(' ')
      if (what === 'tip' || what === 'open') heard.tip = Number(number)
      if (what === 'saved') heard.saved = Number(number)
      if (what === 'done') heard.done = true
      if (left-- === 0) child.kill('SIGKILL')
    })
    child.on('error', reject)
    // 'close': what was written before the kill has been read.
    child.on('close', () => resolve(heard))
  })
}

test('killed at any moment it opens at its last finalized block with every event it acknowledged', async () => {
  const { genesis, maker, blocks, frames } = chainInMemory(200, {
    eventsPerBlock: 3,
    actors: 5,
    resources: 30,
    params: { snapshotInterval: 10 }
  })
  const waiting = maker.events(400)
  const dir = tempDir()
  const path = join(dir, 'chain')
  const pack = (parts: readonly Uint8Array[]) => concatBytes(...parts.flatMap((p) => [u32be(p.byteLength), p]))
  writeFileSync(join(dir, 'genesis.json'), genesis.json)
  writeFileSync(join(dir, 'frames'), pack(frames))
  writeFileSync(join(dir, 'events'), pack(waiting.map(({ bytes }) => bytes)))
  const files = ['genesis.json', 'frames', 'events'].map((name) => join(dir, name))
  const random = new Random(seed)
  let saved = -1
  let tip = 0
  for (let kill = 0; kill < KILLS; kill++) {
    const heard = await runAndKill([path, ...files, String(seed + kill)], random.below(50))
    saved = Math.max(saved, heard.saved)
    const ledger = await Ledger.open({ path, genesis, log: silentLog })
    const { height, hash } = ledger.tip
    expect(height).toBeGreaterThanOrEqual(Math.max(tip, heard.tip))
    if (height > 0) expect(toHex(hash)).toBe(toHex(blocks[height - 1]?.hash as Uint8Array))
    const pending = new Set((await ledger.loadMempool()).map(({ id }) => toHex(id)))
    for (let i = 0; i <= saved; i++) expect(pending.has(toHex(waiting[i]?.id as Uint8Array)), `event ${i}`).toBe(true)
    await ledger.close()
    expect(await verifyHome({ path, genesis })).toMatchObject({ height, fault: undefined })
    tip = height
    if (heard.done) break
  }
  expect(tip).toBeGreaterThan(0)
  expect(saved).toBeGreaterThan(0)
})
