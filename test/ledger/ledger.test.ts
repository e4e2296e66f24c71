import { expect, onTestFinished, test } from 'vitest'
import { type CheckedBlock, checkFinalized, checkProposed, markChecked } from '../../src/chain/check-block.ts'
import { genesisBlockHash, genesisHeader } from '../../src/chain/header.ts'
import { toHex } from '../../src/codec/bytes.ts'
import { joinFinalized } from '../../src/codec/raw.ts'
import type { KeyPair } from '../../src/crypto/ed25519.ts'
import { hasCode } from '../../src/error.ts'
import { Ledger, type LedgerOptions } from '../../src/ledger/ledger.ts'
import { verifyHome } from '../../src/ledger/verify/verify.ts'
import { silentLog } from '../../src/log.ts'
import { applyAll } from '../support/chain-builder.ts'
import { ChainMaker, chainInMemory } from '../support/chain-maker.ts'
import { tempDir } from '../support/temp-dir.ts'
import { naiveStateRoots } from './support/naive-state.ts'

const SMALL = { eventsPerBlock: 3, actors: 3, resources: 5, params: { snapshotInterval: 5 } }

async function open(path: string, genesis: ChainMaker['genesis'], options: Partial<LedgerOptions> = {}) {
  const ledger = await Ledger.open({ path, genesis, log: silentLog, ...options })
  onTestFinished(() => ledger.close())
  return ledger
}

test('a new ledger is at block 0', async () => {
  const { genesis } = new ChainMaker(SMALL)
  const ledger = await open(tempDir(), genesis)
  expect(ledger.tip.height).toBe(0)
  expect(toHex(ledger.tip.hash)).toBe(toHex(genesisBlockHash(genesis)))
  expect(ledger.next).toMatchObject({ height: 1, parentTimestamp: genesis.timestamp })
  expect(toHex(ledger.next.stateRoot)).toBe(toHex(genesisHeader(genesis).stateRoot))
  expect(ledger).toMatchObject({ eventTotal: 0, earliestHeight: 1, conflict: undefined })
  expect(await ledger.heightOf(genesisBlockHash(genesis))).toBe(0)
  const zero = await ledger.blockAt(0)
  expect(zero?.commitBytes.byteLength).toBe(0)
  expect((await ledger.headerAt(0))?.header.timestamp).toBe(genesis.timestamp)
  expect(await ledger.blockAt(1)).toBeUndefined()
  expect(await ledger.commitAt(0)).toBeUndefined()
})

test('blocks are kept as the bytes they came in, and found by height, hash and event', async () => {
  const { genesis, blocks, frames } = chainInMemory(12, SMALL)
  const ledger = await open(tempDir(), genesis)
  const seen: number[] = []
  ledger.on('finalized', ({ block }) => {
    expect(ledger.tip.height).toBeGreaterThanOrEqual(block.height)
    seen.push(block.height)
  })
  expect(await ledger.apply(blocks)).toEqual({ applied: 12 })
  expect(seen).toEqual(blocks.map((block) => block.height))
  expect(ledger.eventTotal).toBe(36)
  for (const [i, block] of blocks.entries()) {
    const stored = await ledger.blockAt(block.height)
    expect(joinFinalized(stored?.blockBytes as Uint8Array, stored?.commitBytes as Uint8Array)).toEqual(frames[i])
    expect(toHex(stored?.hash as Uint8Array)).toBe(toHex(block.hash))
    expect(await ledger.heightOf(block.hash)).toBe(block.height)
    expect(await ledger.commitAt(block.height)).toEqual(block.commitBytes)
    for (let at = 0; at < block.eventIds.byteLength; at += 32) {
      const id = block.eventIds.subarray(at, at + 32)
      expect(await ledger.event(id)).toMatchObject({ height: block.height, index: at / 32 })
      expect(ledger.hasRecentEvent(id)).toBe(true)
    }
  }
  expect(await ledger.event(new Uint8Array(32))).toBeUndefined()
  expect(await ledger.heightOf(new Uint8Array(32))).toBeUndefined()
})

test('headers carry the state at multiples of the snapshot interval and repeat it elsewhere', async () => {
  const { genesis, blocks } = chainInMemory(21, SMALL)
  const ledger = await open(tempDir(), genesis)
  await applyAll(ledger, blocks)
  const roots = naiveStateRoots(genesis, blocks)
  for (const { height } of blocks) {
    const header = (await ledger.headerAt(height))?.header
    // Over the events of blocks 1 … h−1 at the last multiple.
    const covered = height - (height % 5) - 1
    expect(toHex(header?.stateRoot as Uint8Array), `height ${height}`).toBe(roots[Math.max(0, covered)])
  }
})

test('blocks that are final already change nothing, also in the middle of a run', async () => {
  const { genesis, blocks } = chainInMemory(8, SMALL)
  const ledger = await open(tempDir(), genesis)
  let finalized = 0
  ledger.on('finalized', () => finalized++)
  expect(await ledger.apply(blocks.slice(0, 5))).toEqual({ applied: 5 })
  expect(await ledger.apply(blocks.slice(0, 5))).toEqual({ applied: 0 })
  const [, , third, , , sixth, seventh] = blocks as CheckedBlock[]
  const mixed = [third, sixth, sixth, third, seventh] as CheckedBlock[]
  expect(await ledger.apply(mixed)).toEqual({ applied: 2 })
  expect(await Promise.all([ledger.apply(blocks), ledger.apply(blocks)])).toEqual([{ applied: 1 }, { applied: 0 }])
  expect(finalized).toBe(8)
  expect(ledger.tip.height).toBe(8)
})

test('a run ends at its first fault; what was before it is final, the rest is not', async () => {
  const { genesis, blocks, frames } = chainInMemory(6, SMALL)
  const path = tempDir()
  const ledger = await open(path, genesis)
  const forged = Uint8Array.from(frames[3] as Uint8Array)
  forged[forged.byteLength - 1] = (forged[forged.byteLength - 1] as number) ^ 1
  const result = checkFinalized(genesis, forged)
  if (!result.ok) throw new Error(result.failure.code)
  const run = [...blocks.slice(0, 3), result.block, ...blocks.slice(4)]
  const { applied, failure } = await ledger.apply(run)
  expect({ applied, index: failure?.index, code: failure?.failure.code }).toEqual({
    applied: 3,
    index: 3,
    code: 'COMMIT_BAD_SIGNATURE'
  })
  expect(ledger.tip.height).toBe(3)
  expect((await ledger.apply(blocks.slice(4))).failure?.failure.code).toBe('BAD_HEIGHT')
  expect(await ledger.apply(blocks.slice(3))).toEqual({ applied: 3 })
})

test('a block with no commit can not be applied', async () => {
  const maker = new ChainMaker(SMALL)
  const ledger = await open(tempDir(), maker.genesis)
  const proposal = checkProposed(maker.genesis, maker.propose().blockBytes)
  if (!proposal.ok) throw new Error(proposal.failure.code)
  await expect(ledger.apply([proposal.block])).rejects.toThrow('has no commit')
  expect(ledger.tip.height).toBe(0)
})

test('it proposes what it would accept, and refuses an event of an ancestor', async () => {
  const maker = new ChainMaker(SMALL)
  const ledger = await open(tempDir(), maker.genesis)
  const used = maker.events()
  await applyAll(ledger, [maker.next(used)])
  const proposer = maker.validators[maker.genesis.validators.proposer(2, 0)] as KeyPair
  const check = (events = maker.events(), timestamp = maker.nextTimestamp) => {
    const built = ledger.buildBlock({ timestamp, proposer, events })
    const result = checkProposed(maker.genesis, built.blockBytes)
    if (!result.ok) throw new Error(result.failure.code)
    expect(toHex(result.block.hash)).toBe(toHex(built.hash))
    return { failure: ledger.checkProposal(result.block), header: built.header }
  }
  expect(check().failure).toBeUndefined()
  expect(check([]).failure).toBeUndefined()
  expect(check([maker.event(), used[1] as (typeof used)[0]]).failure?.code).toBe('EVENT_REPEATED')
  // Never below the parent's time.
  expect(check([], 0).header.timestamp).toBe(maker.head.tip.header.timestamp + 1)
  await applyAll(ledger, [maker.next()])
  expect(check().failure).toBeUndefined()
})

test('opened again it goes on as if it had never been closed', async () => {
  const spec = { ...SMALL, intervalMs: 100, params: { snapshotInterval: 4, eventWindowMs: 1000 } }
  const { genesis, blocks } = chainInMemory(60, spec)
  const path = tempDir()
  const tuning = { segmentEvents: 20, stateWork: 30 }
  const through = await open(tempDir(), genesis, { tuning })
  for (let height = 0; height < 60; height += 7) {
    const ledger = await Ledger.open({ path, genesis, log: silentLog, tuning })
    expect(toHex(ledger.tip.hash)).toBe(toHex(through.tip.hash))
    expect(toHex(ledger.tip.mmrRoot)).toBe(toHex(through.tip.mmrRoot))
    expect(ledger.next).toEqual(through.next)
    expect(ledger.eventTotal).toBe(through.eventTotal)
    for (const { eventIds } of blocks) {
      const id = eventIds.subarray(0, 32)
      expect(ledger.hasRecentEvent(id)).toBe(through.hasRecentEvent(id))
      expect(await ledger.event(id)).toEqual(await through.event(id))
    }
    await applyAll(ledger, blocks.slice(height, height + 7))
    await applyAll(through, blocks.slice(height, height + 7))
    await ledger.close()
  }
  expect(await verifyHome({ path, genesis })).toEqual({ height: 60, events: 180, fault: undefined })
})

test('another certified block at a final height is kept as evidence and ends the chain here', async () => {
  const maker = new ChainMaker(SMALL)
  const ours = [maker.next(), maker.next(), maker.next()]
  // The same keys and block 1, then another block 2.
  const other = new ChainMaker(SMALL)
  other.next()
  const built = other.propose(other.events(1))
  const theirs = other.certify(built, [1, 2, 3])
  const path = tempDir()
  const ledger = await Ledger.open({ path, genesis: maker.genesis, log: silentLog })
  await applyAll(ledger, ours)
  const conflicts: unknown[] = []
  ledger.on('conflict', (conflict) => conflicts.push(conflict))
  const uncertified = markChecked({ ...theirs, deferred: { code: 'COMMIT_TOO_FEW', message: '', stage: 1 } as const })
  expect((await ledger.apply([uncertified])).failure?.failure.code).toBe('COMMIT_TOO_FEW')
  expect(ledger.conflict).toBeUndefined()

  await expect(ledger.apply([theirs])).rejects.toSatisfy((error) => hasCode(error, 'CONFLICTING_FINALITY'))
  expect(conflicts).toMatchObject([{ height: 2, validators: ['v1', 'v2'] }])
  await expect(ledger.apply([maker.next()])).rejects.toThrow('both are signed by v1, v2')
  expect(ledger.tip.height).toBe(3)
  await ledger.close()

  const again = await open(path, maker.genesis)
  expect(again.conflict).toMatchObject({ height: 2, validators: ['v1', 'v2'] })
  await expect(again.apply([])).rejects.toSatisfy((error) => hasCode(error, 'CONFLICTING_FINALITY'))
  const [record] = await again.evidence()
  expect(record?.kind).toBe('conflict')
  expect(record?.validators.map(toHex)).toEqual([1, 2].map((i) => toHex(maker.validators[i]?.publicKey as Uint8Array)))
  const [first, second] = record?.parts.map((bytes) => checkFinalized(maker.genesis, bytes)) ?? []
  expect(first?.ok && toHex(first.block.hash)).toBe(toHex(ours[1]?.hash as Uint8Array))
  expect(second?.ok && toHex(second.block.hash)).toBe(toHex(theirs.hash))
})

test('a certified next block on another parent is a conflict too: its signers stand for another block at our tip', async () => {
  const maker = new ChainMaker(SMALL)
  const ours = [maker.next(), maker.next()]
  const other = new ChainMaker(SMALL)
  other.next()
  // Another block 2 that is never seen here, and block 3 on it.
  const unseen = other.certify(other.propose(other.events(1)), [1, 2, 3])
  other.head.advance(unseen)
  const theirs = other.certify(other.propose(), [1, 2, 3])
  const ledger = await open(tempDir(), maker.genesis)
  const uncertified = markChecked({ ...theirs, deferred: { code: 'COMMIT_TOO_FEW', message: '', stage: 99 } as const })
  expect((await ledger.apply([...ours, uncertified])).failure?.failure.code).toBe('BAD_PARENT')
  expect(ledger.conflict).toBeUndefined()
  await expect(ledger.apply([theirs])).rejects.toThrow(
    `${toHex(ours[1]?.hash as Uint8Array)} (kept) and ${toHex(unseen.hash)}, on which block 3`
  )
  expect(ledger.conflict).toMatchObject({ height: 2, validators: ['v1', 'v2'] })
  expect(ledger.tip.height).toBe(2)
  const [record] = await ledger.evidence()
  const heights = record?.parts.map((bytes) => checkFinalized(maker.genesis, bytes)).map((r) => r.ok && r.block.height)
  expect(heights).toEqual([2, 3])
})

test('evidence of other faults is kept once a slot', async () => {
  const { genesis, validators } = new ChainMaker(SMALL)
  const path = tempDir()
  const ledger = await Ledger.open({ path, genesis, log: silentLog })
  const key = validators[0]?.publicKey as Uint8Array
  const record = (height: number) => ({
    kind: 'votes',
    height,
    seenAt: 5,
    validators: [key],
    description: 'v0 voted twice',
    parts: [Uint8Array.of(1, 2), Uint8Array.of()]
  })
  expect(await ledger.saveEvidence(record(3), 'PREVOTE')).toBe(true)
  expect(await ledger.saveEvidence(record(3), 'PREVOTE')).toBe(false)
  expect(await ledger.saveEvidence(record(3), 'PRECOMMIT')).toBe(true)
  expect(await ledger.saveEvidence(record(4), 'PREVOTE')).toBe(true)
  await ledger.close()
  const again = await open(path, genesis)
  expect((await again.evidence()).map(({ height }) => height)).toEqual([4, 3, 3])
  expect((await again.evidence(1))[0]).toEqual(record(4))
})

test('a listener that throws does not undo what is final', async () => {
  const { genesis, blocks } = chainInMemory(2, SMALL)
  const ledger = await open(tempDir(), genesis)
  ledger.on('finalized', () => {
    throw new Error('a bug')
  })
  expect(await ledger.apply(blocks)).toEqual({ applied: 2 })
})

test('a closed ledger refuses blocks', async () => {
  const { genesis, blocks } = chainInMemory(1, SMALL)
  const ledger = await Ledger.open({ path: tempDir(), genesis, log: silentLog })
  const applying = ledger.apply(blocks)
  await ledger.close()
  expect(await applying).toEqual({ applied: 1 })
  await expect(ledger.apply(blocks)).rejects.toSatisfy((error) => hasCode(error, 'LEDGER_CLOSED'))
})

test('a chain does not go past the checkpoint with another block', async () => {
  const { genesis, blocks } = chainInMemory(8, { eventsPerBlock: 1 })
  const path = tempDir()
  for (const [hash, height] of [
    [new Uint8Array(32), 4],
    [blocks[4]?.hash as Uint8Array, 8]
  ] as const) {
    const ledger = await Ledger.open({ path, genesis, log: silentLog, checkpoint: { height: 5, hash } })
    if (height < 8) {
      const wrong = /block 5 is not the checkpoint's: expected 0{64}, but the validators certified/
      await expect(ledger.apply(blocks)).rejects.toThrow(wrong)
      await expect(ledger.apply(blocks.slice(4))).rejects.toThrow(wrong)
    } else await applyAll(ledger, blocks)
    expect(ledger.tip.height).toBe(height)
    await ledger.close()
  }
})
