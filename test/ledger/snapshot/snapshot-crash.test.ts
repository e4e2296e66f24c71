import { spawn } from 'node:child_process'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { checkChunk } from '../../../src/chain/snapshot-chunks.ts'
import { concatBytes, u32be } from '../../../src/codec/bytes.ts'
import { Ledger } from '../../../src/ledger/ledger.ts'
import type { HeldSnapshot, Snapshots } from '../../../src/ledger/snapshot/snapshots.ts'
import { verifyHome } from '../../../src/ledger/verify/verify.ts'
import { silentLog } from '../../../src/log.ts'
import { chainInMemory } from '../../support/chain-maker.ts'
import { Random } from '../../support/random.ts'
import { tempDir } from '../../support/temp-dir.ts'

const CHILD = fileURLToPath(new URL('../support/snapshot-child.mjs', import.meta.url))
const seed = Number(process.env.MOLOCH_SEED ?? 1)
const KILLS = Math.max(1, Math.round(6 * Number(process.env.MOLOCH_RUNS ?? 1)))

/**
 * Runs the child and kills it some lines after it has opened the database, or after it has built a snapshot. The newest
 * one that it said was there.
 */
function runAndKill(args: string[], lines: number, after: 'opened' | 'built'): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [CHILD, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
    let built = 0
    let left = lines
    createInterface(child.stdout).on('line', (line) => {
      const [what, number] = line.split(' ')
      if (what === 'built') built = Math.max(built, Number(number))
      if (after === 'built' && built === 0) return
      if (left-- === 0) child.kill('SIGKILL')
    })
    child.on('error', reject)
    child.on('close', () => resolve(built))
  })
}

test('killed at any moment of a build it has whole snapshots, and no other files', async () => {
  const { genesis, frames } = chainInMemory(150, { eventsPerBlock: 5, resources: 200, params: { snapshotInterval: 3 } })
  const dir = tempDir()
  const path = join(dir, 'chain')
  const folder = join(dir, 'snapshots')
  writeFileSync(join(dir, 'genesis.json'), genesis.json)
  writeFileSync(join(dir, 'frames'), concatBytes(...frames.flatMap((p) => [u32be(p.byteLength), p])))
  const files = ['genesis.json', 'frames'].map((name) => join(dir, name))
  const random = new Random(seed)
  let newest = 0
  for (let kill = 0; kill < KILLS; kill++) {
    // However slow the machine and however few the kills, one at least comes when there is something to lose.
    const after = kill === KILLS - 1 ? 'built' : 'opened'
    newest = Math.max(newest, await runAndKill([path, folder, ...files], 1 + random.below(12), after))
    const ledger = await Ledger.open({ path, genesis, log: silentLog, snapshots: { folder, keep: 3 } })
    const snapshots = ledger.snapshots as Snapshots
    const { heights } = snapshots
    expect(heights[0] ?? 0).toBeGreaterThanOrEqual(newest)
    expect(readdirSync(folder).sort()).toEqual(heights.map((height) => `${height}.snapshot`).sort())
    for (const height of heights) {
      const { chunks } = (snapshots.held(height) as HeldSnapshot).manifest
      for (let i = 0; i < chunks.length; i++) {
        const data = (await snapshots.readChunk(height, i)) as Uint8Array
        expect(checkChunk(genesis, chunks, i, data).ok).toBe(true)
      }
    }
    await ledger.close()
    expect((await verifyHome({ path, genesis })).fault).toBeUndefined()
  }
  expect(newest).toBeGreaterThan(0)
})
