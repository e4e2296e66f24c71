import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type CheckedBlock, checkHistory } from '../../src/chain/check-block.ts'
import { checkHeader } from '../../src/chain/check-header.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { verifyHome } from '../../src/ledger/verify/verify.ts'
import { silentLog } from '../../src/log.ts'
import { until } from '../network/support/hosts.ts'
import { applyAll } from '../support/chain-builder.ts'
import { chainInMemory } from '../support/chain-maker.ts'
import { Random } from '../support/random.ts'
import { runs } from '../support/runs.ts'
import { tempDir } from '../support/temp-dir.ts'
import { trustedHeaders } from '../support/trusted-headers.ts'
import { contentHash, forgetHistory } from '../support/warped.ts'

const TIP = 60
const BASE = 50
const spec = {
  seed: 71,
  eventsPerBlock: 3,
  actors: 3,
  resources: 8,
  params: { snapshotInterval: 10, eventWindowMs: 10_000 }
}
const chain = chainInMemory(TIP, spec)
const { genesis } = chain
const headers = trustedHeaders(chain)
// Small segments, and the state written at each snapshot height.
const tuning = { segmentEvents: 20, stateWork: 1 }

let whole: string
let warped: string

const openLedger = (path: string): Promise<Ledger> => Ledger.open({ path, genesis, log: silentLog, tuning })

const history = (height: number): CheckedBlock => {
  const result = checkHistory(genesis, chain.frames[height - 1] as Uint8Array)
  if (!result.ok) throw new Error(result.failure.message)
  return result.block
}

const between = (from: number, to: number): CheckedBlock[] =>
  Array.from({ length: to - from + 1 }, (_, i) => history(from + i))

beforeAll(async () => {
  const dir = mkdtempSync(join(tmpdir(), 'moloch-'))
  whole = join(dir, 'whole')
  warped = join(dir, 'warped')
  const ledger = await openLedger(whole)
  await applyAll(ledger, chain.blocks)
  await ledger.close()
  cpSync(whole, warped, { recursive: true })
  await forgetHistory(warped, genesis, BASE)
  return () => rmSync(dir, { recursive: true })
})

function copy(of: string): string {
  const path = join(tempDir(), 'chain')
  cpSync(of, path, { recursive: true })
  return path
}

async function opened(path = copy(warped)): Promise<Ledger> {
  const ledger = await openLedger(path)
  onTestFinished(() => ledger.close())
  return ledger
}

/** Every event of the heights is found where it is, and no other. */
async function expectFindable(ledger: Ledger, held: (height: number) => boolean): Promise<void> {
  for (const { height, eventIds } of chain.blocks) {
    for (let at = 0; at < eventIds.byteLength; at += 32) {
      const found = await ledger.event(eventIds.subarray(at, at + 32))
      expect(found && { height: found.height, index: found.index }, `event ${at / 32} of block ${height}`).toEqual(
        held(height) ? { height, index: at / 32 } : undefined
      )
    }
  }
}

describe('a database without history', () => {
  test('opens, follows the chain, and passes its audit', async () => {
    const path = copy(warped)
    const ledger = await openLedger(path)
    expect(ledger.earliestHeight).toBe(BASE)
    expect(ledger.history).toMatchObject({ base: BASE, held: [], heldCount: 0, uncertified: undefined })
    expect(await ledger.blockAt(BASE - 1)).toBeUndefined()
    expect(await ledger.commitAt(BASE - 1)).toBeUndefined()
    expect((await ledger.blockAt(BASE))?.hash).toEqual(chain.blocks[BASE - 1]?.hash)
    await expectFindable(ledger, (height) => height >= BASE)
    await ledger.close()
    expect(await verifyHome({ path, genesis })).toEqual({ height: TIP, events: 3 * (TIP - BASE + 1), fault: undefined })
  })
})

test('pieces in any order, opened again at any moment: every event is found, every audit passes, and all ends the same', async () => {
  const expected = await contentHash(whole, genesis)
  await fc.assert(
    fc.asyncProperty(fc.integer(), fc.integer({ min: 1, max: 12 }), async (seed, size) => {
      const random = new Random(seed)
      const path = copy(warped)
      let ledger = await openLedger(path)
      const pieces: [number, number][] = []
      for (let from = 1; from < BASE; from += size) pieces.push([from, Math.min(BASE - 1, from + size - 1)])
      const held = new Set<number>()
      while (pieces.length > 0) {
        const [[from, to]] = pieces.splice(random.below(pieces.length), 1) as [[number, number]]
        // A part that is there already changes nothing.
        const first = random.below(3) === 0 ? Math.max(1, from - 2) : from
        expect(await ledger.history.put(first, between(first, to))).toEqual({
          stored: to - first + 1,
          failure: undefined
        })
        for (let height = first; height <= to; height++) held.add(height)
        if (random.below(3) === 0 && ledger.history.uncertified !== undefined) {
          await ledger.history.certified(ledger.history.uncertified.from)
        }
        if (random.below(4) > 0) continue
        await ledger.close()
        const report = await verifyHome({ path, genesis })
        expect(report).toMatchObject({ height: TIP, fault: undefined })
        ledger = await openLedger(path)
        await expectFindable(ledger, (height) => height >= BASE || held.has(height))
      }
      expect(ledger.history.uncertified?.from ?? 1).toBe(1)
      await ledger.history.certified(1)
      await expectFindable(ledger, () => true)
      await ledger.history.finish()
      expect(ledger.earliestHeight).toBe(1)
      expect(ledger.history.base).toBeUndefined()
      await ledger.close()
      expect(await verifyHome({ path, genesis })).toEqual({ height: TIP, events: 3 * TIP, fault: undefined })
      expect(await contentHash(path, genesis)).toBe(expected)
      const again = await openLedger(path)
      await expectFindable(again, () => true)
      await again.close()
    }),
    runs(8)
  )
})

test('blocks that are committed meanwhile go on beside it', async () => {
  const path = join(tempDir(), 'chain')
  const first = await openLedger(path)
  await applyAll(first, chain.blocks.slice(0, BASE + 1))
  await first.close()
  await forgetHistory(path, genesis, BASE)
  const ledger = await openLedger(path)
  const forward = (async () => {
    for (const block of chain.blocks.slice(BASE + 1)) await applyAll(ledger, [block])
  })()
  for (let from = BASE - 7; from > 0; from -= 7) await ledger.history.put(from, between(from, from + 6))
  await forward
  await expectFindable(ledger, () => true)
  await ledger.history.certified(1)
  await ledger.history.finish()
  await ledger.close()
  expect(await verifyHome({ path, genesis })).toEqual({ height: TIP, events: 3 * TIP, fault: undefined })
})

test('only the blocks whose hashes are known are taken, up to the first that is not', async () => {
  const { history: store } = await opened()
  const other = chainInMemory(TIP, { ...spec, actors: 4 })
  const foreign = checkHistory(other.genesis, other.frames[20] as Uint8Array)
  if (!foreign.ok) throw new Error('a bad chain')
  expect(await store.put(20, [history(20), foreign.block, history(22)])).toMatchObject({
    stored: 1,
    failure: { code: 'BAD_BLOCK_HASH' }
  })
  expect(await store.put(30, [history(31)])).toMatchObject({ stored: 0, failure: { code: 'BAD_HEIGHT' } })
  const altered = { ...history(40), deferred: { code: 'BAD_EVENTS_ROOT', message: '', stage: 0 } } as CheckedBlock
  expect(await store.put(40, [altered])).toMatchObject({ stored: 0, failure: { code: 'BAD_EVENTS_ROOT' } })
  await expect(store.put(20, [chain.blocks[19] as CheckedBlock])).rejects.toThrow('not checked as history')
  expect(store.held).toEqual([{ from: 20, to: 20 }])
  expect(store.missing(18, 22)).toEqual([
    { from: 18, to: 19 },
    { from: 21, to: 22 }
  ])
})

test('what is not certified yet can be read here, without its certificate, and is in no answer to peers', async () => {
  const ledger = await opened()
  await ledger.history.put(40, between(40, 49))
  const block = await ledger.blockAt(45)
  expect(block?.hash).toEqual(chain.blocks[44]?.hash)
  expect(block?.commitBytes).toHaveLength(0)
  expect(await ledger.sealedHeaderAt(45)).toMatchObject({ commit: undefined, seal: new Uint8Array(0) })
  expect(await ledger.commitAt(45)).toBeUndefined()
  expect((await ledger.events({ from: 45, to: 45 }, undefined, 10)).events).toHaveLength(3)
  const read = async (start: number) => {
    let count = 0
    for await (const _ of ledger.readRange(start, 10, 1 << 20)) count++
    for await (const _ of ledger.readHeaders(start, 10)) count++
    return count
  }
  expect(await read(45)).toBe(0)
  await expect(ledger.prove({ header: { height: 45, anchorHeight: TIP } })).rejects.toMatchObject({
    code: 'UNAVAILABLE'
  })
  await ledger.history.certified(45)
  expect(ledger.earliestHeight).toBe(45)
  expect((await ledger.sealedHeaderAt(45))?.commit?.signatures).toHaveLength(3)
  expect(await read(45)).toBe(20)
  await ledger.prove({ header: { height: 45, anchorHeight: TIP } })
  expect(ledger.history.uncertified).toEqual({ from: 40, to: 44 })
})

test('a certificate is replaced, and the block keeps its events', async () => {
  const ledger = await opened()
  const bad = chain.frames[48]?.slice() as Uint8Array
  bad[bad.length - 1] = (bad.at(-1) as number) ^ 1
  const checked = checkHistory(genesis, bad)
  if (!checked.ok) throw new Error(checked.failure.message)
  await ledger.history.put(49, [checked.block])
  const [held] = await ledger.history.readUncertified(5)
  expect(held).toMatchObject({ height: 49, hash: chain.blocks[48]?.hash })
  expect(checkHeader(genesis, held?.header as Uint8Array)).toMatchObject({
    header: { deferred: { code: 'COMMIT_BAD_SIGNATURE' } }
  })
  const good = checkHeader(genesis, headers[48] as Uint8Array)
  const wrong = checkHeader(genesis, headers[47] as Uint8Array)
  if (!good.ok || !wrong.ok) throw new Error('bad headers')
  await expect(ledger.history.replaceCertificate(wrong.header)).rejects.toThrow('not of the block 48')
  await ledger.history.replaceCertificate(good.header)
  await ledger.history.certified(49)
  const frames: Uint8Array[] = []
  for await (const frame of ledger.readRange(49, 1, 1 << 20)) frames.push(frame)
  expect(frames).toEqual([new Uint8Array(chain.frames[48] as Uint8Array)])
})

test('events of two windows are known again as soon as their history is certified', async () => {
  const ledger = await opened()
  let told = 0
  ledger.on('window', () => told++)
  const id = (height: number): Uint8Array => chain.blocks[height - 1]?.eventIds.subarray(0, 32) as Uint8Array
  expect(ledger.holdsWindow).toBe(false)
  await ledger.history.put(30, between(30, 49))
  await ledger.history.certified(45)
  await ledger.history.certified(42)
  expect(ledger.holdsWindow).toBe(false)
  expect(ledger.hasRecentEvent(id(44))).toBe(false)
  // Two windows are twenty blocks.
  await ledger.history.certified(38)
  await until('the window', () => ledger.holdsWindow)
  expect(told).toBe(1)
  for (let height = TIP - 19; height <= TIP; height++) expect(ledger.hasRecentEvent(id(height))).toBe(true)
  expect(ledger.hasRecentEvent(id(36))).toBe(false)
})
