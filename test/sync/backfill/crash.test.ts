import { spawn } from 'node:child_process'
import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { concatBytes, u32be } from '../../../src/codec/bytes.ts'
import type { HeightRange } from '../../../src/ledger/history.ts'
import { verifyHome } from '../../../src/ledger/verify/verify.ts'
import { Random } from '../../support/random.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { contentHash } from '../../support/warped.ts'
import { BASE, EVENTS, fixture, openLedger, TIP } from './support.ts'

const CHILD = fileURLToPath(new URL('crash-child.mjs', import.meta.url))
const seed = Number(process.env.MOLOCH_SEED ?? 1)
const KILLS = Math.max(1, Math.round(5 * Number(process.env.MOLOCH_RUNS ?? 1)))
/** Requests that are out, each with two frames of three blocks. */
const IN_FLIGHT = 4 * 2 * 3

interface Heard {
  readonly given: readonly HeightRange[]
  readonly earliest: number
  readonly done: boolean
}

/** Runs the child and kills it when it has said so many lines; undefined: never. */
function runChild(args: readonly string[], lines?: number): Promise<Heard> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [CHILD, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
    const given: HeightRange[] = []
    let earliest = BASE
    let done = false
    let left = lines
    createInterface(child.stdout).on('line', (line) => {
      const [what, first, last] = line.split(' ')
      if (what === 'given') given.push({ from: Number(first), to: Number(last) })
      if (what === 'earliest') earliest = Number(first)
      if (what === 'done') done = true
      if (left !== undefined && left-- === 0) child.kill('SIGKILL')
    })
    child.on('error', reject)
    // 'close': what was written before the kill has been read.
    child.on('close', () => resolve({ given, earliest, done }))
  })
}

test('killed at any moment it goes on where it was, and ends as if synced from genesis', async () => {
  const { chain, warped, whole, remove } = await fixture()
  onTestFinished(remove)
  const { genesis, frames } = chain
  const dir = tempDir()
  const path = join(dir, 'chain')
  writeFileSync(join(dir, 'genesis.json'), genesis.json)
  writeFileSync(join(dir, 'frames'), concatBytes(...frames.flatMap((one) => [u32be(one.byteLength), one])))
  cpSync(warped, path, { recursive: true })
  const args = [path, join(dir, 'genesis.json'), join(dir, 'frames')]
  const random = new Random(seed)
  let given = 0
  let earliest = BASE
  let kills = 0
  for (; kills < KILLS; kills++) {
    const before = await openLedger(path, chain)
    const held = new Set<number>()
    for (const { from, to } of before.history.held) for (let height = from; height <= to; height++) held.add(height)
    for (let height = before.earliestHeight; height < BASE; height++) held.add(height)
    // What it said was served from here up is.
    expect(before.earliestHeight).toBeLessThanOrEqual(earliest)
    await before.close()
    expect(await verifyHome({ path, genesis })).toMatchObject({ height: TIP, fault: undefined })
    const heard = await runChild(args, random.below(12))
    for (const { from, to } of heard.given) {
      for (let height = from; height <= to; height++) expect(held.has(height), `block ${height}`).toBe(false)
      given += to - from + 1
    }
    earliest = heard.earliest
    if (heard.done) break
  }
  const last = await runChild(args)
  for (const { from, to } of last.given) given += to - from + 1
  expect(last.done).toBe(true)
  expect(given).toBeLessThanOrEqual(BASE - 1 + IN_FLIGHT * (kills + 1))
  expect(await verifyHome({ path, genesis })).toEqual({ height: TIP, events: EVENTS * TIP, fault: undefined })
  expect(await contentHash(path, genesis)).toBe(await contentHash(whole, genesis))
})
