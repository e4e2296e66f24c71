import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { type CheckedBlock, checkHistory, checkProposed } from '../../src/chain/check-block.ts'
import { type CheckedEvent, checkEvent, signEvent } from '../../src/chain/event.ts'
import { Mempool } from '../../src/chain/mempool.ts'
import { toHex } from '../../src/codec/bytes.ts'
import { Outcome } from '../../src/codec/generated/event.ts'
import { splitBlock } from '../../src/codec/raw.ts'
import { Proposer } from '../../src/consensus/proposer.ts'
import type { KeyPair } from '../../src/crypto/ed25519.ts'
import { EventFates } from '../../src/ledger/event-fates.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { storesOf } from '../../src/ledger/stores.ts'
import { Turns } from '../../src/ledger/turns.ts'
import { verifyHome } from '../../src/ledger/verify/verify.ts'
import { silentLog } from '../../src/log.ts'
import { Database } from '../../src/store/database.ts'
import { heightKey, TABLE } from '../../src/store/keys.ts'
import { mempoolLimits } from '../chain/support/mempool-limits.ts'
import { applyAll } from '../support/chain-builder.ts'
import { chainInMemory } from '../support/chain-maker.ts'
import { tempDir } from '../support/temp-dir.ts'
import { forgetHistory } from '../support/warped.ts'

/** Four blocks. */
const WINDOW = 4000
const BASE = 30
const TIP = 45
const spec = { seed: 91, eventsPerBlock: 2, params: { snapshotInterval: 10, eventWindowMs: WINDOW } }
const chain = chainInMemory(TIP, spec)
const { genesis, blocks, maker } = chain

const block = (height: number): CheckedBlock => blocks[height - 1] as CheckedBlock
const timeOf = (height: number): number => block(height).header.timestamp

/** The first event of a block. */
const taken = (height: number): CheckedEvent =>
  checkEvent(splitBlock(block(height).blockBytes).events[0] as Uint8Array, genesis.params)

/** An event that could have been in a block of this height, and is in none. */
function untaken(height: number, name = ''): CheckedEvent {
  const body = { action: 'login', resource: { kind: 'account', id: `lost:${height}${name}` }, outcome: Outcome.SUCCESS }
  return signEvent(genesis.hash, maker.actors[0] as KeyPair, { ...body, timestamp: timeOf(height), metadata: [] })
}

const history = (from: number, to: number): CheckedBlock[] =>
  Array.from({ length: to - from + 1 }, (_, i) => {
    const result = checkHistory(genesis, chain.frames[from + i - 1] as Uint8Array)
    if (!result.ok) throw new Error(result.failure.message)
    return result.block
  })

async function opened(path: string): Promise<Ledger> {
  const ledger = await Ledger.open({ path, genesis, log: silentLog, tuning: { stateWork: 1 } })
  onTestFinished(() => ledger.close())
  return ledger
}

/** A database with blocks up to `tip`, of which those below `base` are forgotten. */
async function databaseOf(tip: number, base?: number): Promise<string> {
  const path = join(tempDir(), 'chain')
  const ledger = await opened(path)
  await applyAll(ledger, blocks.slice(0, tip))
  await ledger.close()
  if (base !== undefined) await forgetHistory(path, genesis, base)
  return path
}

const hex = (events: readonly CheckedEvent[]): string[] => events.map(({ id }) => toHex(id)).sort()
const idsOf = (page: readonly Uint8Array[]): string[] => hex(page.map((bytes) => checkEvent(bytes, genesis.params)))
const listed = async (ledger: Ledger) => ({
  passed: idsOf((await ledger.passedEvents(undefined, 100)).events),
  expired: idsOf((await ledger.expiredEvents(undefined, 100)).events)
})

test('after a warp an event whose block may not be held is not called expired before its history is there', async () => {
  const path = await databaseOf(BASE, BASE)
  let ledger = await opened(path)
  // Accepted before the warp: one final in a block that was skipped, one that no block took; and two after it.
  const [skipped, lost] = [taken(28), untaken(28)]
  const [edge, late] = [untaken(BASE + 4), untaken(BASE + 3)]
  const all = [skipped, lost, edge, late]
  await ledger.saveMempool(all)
  await applyAll(ledger, blocks.slice(BASE))
  await ledger.expireMempool(all)
  // Only of the one that no block below the first may hold it is known.
  const unknown = { passed: hex([skipped, lost, late]), expired: hex([edge]) }
  expect(await listed(ledger)).toEqual(unknown)
  expect(await ledger.expiredEvent(skipped.id)).toBeUndefined()
  expect(await ledger.passedEvent(skipped.id)).toEqual(skipped.bytes)
  await ledger.close()
  expect((await verifyHome({ path, genesis })).fault).toBeUndefined()

  ledger = await opened(path)
  expect(await ledger.loadMempool()).toEqual([])
  expect(await listed(ledger)).toEqual(unknown)
  await ledger.history.put(10, history(10, BASE - 1))
  expect(await ledger.event(skipped.id)).toMatchObject({ height: 28 })
  await ledger.history.certified(25)
  await expect.poll(() => listed(ledger)).toEqual({ passed: hex([skipped, lost]), expired: hex([edge, late]) })
  await ledger.history.certified(20)
  await expect.poll(() => listed(ledger)).toEqual({ passed: [], expired: hex([lost, edge, late]) })
  await ledger.close()
  ledger = await opened(path)
  expect(await listed(ledger)).toEqual({ passed: [], expired: hex([lost, edge, late]) })
})

test('what became of an event of any age is told only where all blocks that may have it are held', async () => {
  const ledger = await opened(await databaseOf(TIP, BASE))
  const window = WINDOW / 1000
  expect(await ledger.fateOf(taken(BASE + 1))).toBe('final')
  expect(await ledger.fateOf(untaken(BASE + window))).toBe('expired')
  // A block below the first may have it.
  expect(await ledger.fateOf(untaken(BASE + window - 1))).toBe('unknown')
  expect(await ledger.fateOf(taken(BASE - 1))).toBe('unknown')
  // One after the tip may.
  expect(await ledger.fateOf(untaken(TIP - window))).toBe('expired')
  expect(await ledger.fateOf(untaken(TIP - window + 1))).toBe('unknown')
  await ledger.history.put(1, history(1, BASE - 1))
  expect(await ledger.fateOf(taken(BASE - 1))).toBe('final')
})

/** What a validator would propose now. */
function proposed(ledger: Ledger, mempool: Mempool): string[] {
  const clock = { now: () => ledger.tip.header.timestamp, monotonic: () => 0, after: () => () => {} }
  const allowance = { maxEvents: 1000, maxBytes: 1 << 20 }
  const { blockBytes } = new Proposer({ ledger, mempool, clock }).build(maker.validators[0] as KeyPair, allowance)
  return splitBlock(blockBytes).events.map((bytes) => toHex(checkEvent(bytes as Uint8Array, genesis.params).id))
}

/** In the last of them they are held as those that were carried from an older database are: uncertified. */
const CERTIFIED = ['before the restart', 'after it', 'never'] as const

for (const when of CERTIFIED) {
  test(`an event that is final in history that came while it waited is in no block again, nor expired; certified ${when}`, async () => {
    const path = await databaseOf(BASE, BASE)
    let ledger = await opened(path)
    const [skipped, lost] = [taken(29), untaken(29)]
    const young = untaken(TIP)
    await ledger.saveMempool([skipped, lost, young])
    await ledger.history.put(1, history(1, BASE - 1))
    if (when === 'before the restart') {
      await ledger.history.certified(1)
      await ledger.history.finish()
    }
    await applyAll(ledger, blocks.slice(BASE))
    const copy = join(tempDir(), 'chain')
    cpSync(path, copy, { recursive: true })
    const mempool = new Mempool(mempoolLimits())
    // Killed before they expired.
    ledger = await opened(copy)
    if (when === 'after it') await ledger.history.certified(1)
    // Looking all of them up would keep the node from opening.
    const restored = await ledger.loadMempool()
    expect(hex(restored)).toEqual(hex([skipped, lost, young]))
    mempool.readd(restored)
    expect(proposed(ledger, mempool)).toEqual(hex([young]))
    const { blockBytes } = ledger.buildBlock({
      timestamp: ledger.tip.header.timestamp,
      proposer: maker.validators[0] as KeyPair,
      events: [skipped]
    })
    const checked = checkProposed(genesis, blockBytes)
    expect(checked.ok && ledger.checkProposal(checked.block)).toMatchObject({ code: 'EVENT_OUTSIDE_WINDOW' })
    expect(await ledger.event(skipped.id)).toMatchObject({ height: 29 })

    await ledger.expireMempool(mempool.expire(ledger.tip.header.timestamp, WINDOW))
    const known = { passed: [], expired: hex([lost]) }
    expect(await listed(ledger)).toEqual(when === 'never' ? { passed: hex([lost]), expired: [] } : known)
    expect(proposed(ledger, mempool)).toEqual(hex([young]))
    await ledger.close()
    ledger = await opened(copy)
    expect(hex(await ledger.loadMempool())).toEqual(hex([young]))
    expect(await ledger.event(skipped.id)).toMatchObject({ height: 29 })
    if (when === 'never') await ledger.history.certified(1)
    await expect.poll(() => listed(ledger)).toEqual(known)
  })
}

const many = (count: number): CheckedEvent[] => Array.from({ length: count }, (_, i) => untaken(28, `${i}`))

test('blocks are applied between the many events of an outage', async () => {
  const ledger = await opened(await databaseOf(BASE + 1, BASE))
  const order: string[] = []
  const expired = ledger.expireMempool(many(600)).then(() => order.push('expired'))
  await applyAll(ledger, blocks.slice(BASE + 1, BASE + 2))
  order.push('applied')
  await expired
  expect(order).toEqual(['applied', 'expired'])
})

test('closed in the middle of many, it has each event still, once', async () => {
  const path = await databaseOf(TIP)
  let ledger = await opened(path)
  const events = many(600)
  await ledger.saveMempool(events)
  const expired = ledger.expireMempool(events)
  await ledger.close()
  await expired
  ledger = await opened(path)
  const waiting = await ledger.loadMempool()
  const { events: kept } = await ledger.expiredEvents(undefined, 1000)
  expect(kept.length).toBeGreaterThan(0)
  expect(waiting.length).toBeGreaterThan(0)
  expect([...hex(waiting), ...idsOf(kept)].sort()).toEqual(hex(events))
})

test('what could not be read as history came is settled with the next of it', async () => {
  const path = await databaseOf(BASE, BASE)
  const ledger = await opened(path)
  const lost = untaken(28)
  await ledger.saveMempool([lost])
  await ledger.expireMempool([lost])
  await ledger.close()
  const database = await Database.open(path, { genesisHash: genesis.hash, create: false })
  onTestFinished(() => database.close())
  const stores = storesOf(database)
  await stores.mempool.load((bytes) => checkEvent(bytes, genesis.params))
  const [heldSince, turns] = [timeOf(BASE), new Turns()]
  const fates = await EventFates.open({ genesis, stores, log: silentLog, turns, appliedSince: heldSince, heldSince })
  const write = async (row: Uint8Array): Promise<void> => {
    const batch = database.batch()
    batch.put(heightKey(TABLE.PASSED, 1), row)
    await database.write(batch)
  }
  await write(Uint8Array.of(0xff))
  await expect(fates.historyHeld(timeOf(20))).rejects.toMatchObject({ code: 'EVENT_MALFORMED' })
  await write(lost.bytes)
  await fates.historyHeld(timeOf(19))
  expect([stores.mempool.passed.size, stores.mempool.expired.size]).toEqual([0, 1])
})

test('what a crash left undone after the history came is done when the ledger opens', async () => {
  const path = await databaseOf(TIP)
  const [skipped, lost] = [taken(28), untaken(28)]
  const database = await Database.open(path, { genesisHash: genesis.hash, create: false })
  const batch = database.batch()
  for (const [at, { bytes }] of [skipped, lost].entries()) batch.put(heightKey(TABLE.PASSED, at + 1), bytes)
  await database.write(batch)
  await database.close()
  expect(await listed(await opened(path))).toEqual({ passed: [], expired: hex([lost]) })
})
