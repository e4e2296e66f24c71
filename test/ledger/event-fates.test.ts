import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { type CheckedBlock, checkHistory } from '../../src/chain/check-block.ts'
import { type CheckedEvent, checkEvent, signEvent } from '../../src/chain/event.ts'
import { toHex } from '../../src/codec/bytes.ts'
import { Outcome } from '../../src/codec/generated/event.ts'
import { splitBlock } from '../../src/codec/raw.ts'
import type { KeyPair } from '../../src/crypto/ed25519.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { verifyHome } from '../../src/ledger/verify.ts'
import { silentLog } from '../../src/log.ts'
import { Database } from '../../src/store/database.ts'
import { heightKey, TABLE } from '../../src/store/keys.ts'
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
function untaken(height: number): CheckedEvent {
  const body = { action: 'login', resource: { kind: 'account', id: `lost:${height}` }, outcome: Outcome.SUCCESS }
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
  await ledger.expireMempool([])
  expect(await listed(ledger)).toEqual({ passed: hex([skipped, lost]), expired: hex([edge, late]) })
  await ledger.history.certified(20)
  await ledger.expireMempool([])
  expect(await listed(ledger)).toEqual({ passed: [], expired: hex([lost, edge, late]) })
  await ledger.close()
  ledger = await opened(path)
  expect(await listed(ledger)).toEqual({ passed: [], expired: hex([lost, edge, late]) })
})

test('an event that waits and turns out to be final as history comes does not expire, nor wait after a restart', async () => {
  const path = await databaseOf(BASE, BASE)
  const ledger = await opened(path)
  const [skipped, lost] = [taken(29), untaken(29)]
  await ledger.saveMempool([skipped, lost])
  await ledger.history.put(1, history(1, BASE - 1))
  await ledger.history.certified(1)
  await ledger.history.finish()
  await applyAll(ledger, blocks.slice(BASE))
  const copy = join(tempDir(), 'chain')
  cpSync(path, copy, { recursive: true })
  await ledger.expireMempool([skipped, lost])
  expect(await listed(ledger)).toEqual({ passed: [], expired: hex([lost]) })
  // Killed before they expired.
  const again = await opened(copy)
  expect(hex(await again.loadMempool())).toEqual(hex([lost]))
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
