import { describe, expect, test } from 'vitest'
import {
  type CheckedBlock,
  certify,
  checkFinalized,
  checkLink,
  checkProposed,
  maxFinalizedBytes
} from '../../src/chain/check-block.ts'
import { buildCommit, encodeCommit } from '../../src/chain/commit.ts'
import { blockHash } from '../../src/chain/domain.ts'
import { indexKeys } from '../../src/chain/event.ts'
import { type Failure, failure, firstFailure } from '../../src/chain/failures.ts'
import { encodeHeader, type Header } from '../../src/chain/header.ts'
import { concatBytes } from '../../src/codec/bytes.ts'
import { joinBlock, joinFinalized, splitBlock, splitFinalized } from '../../src/codec/raw.ts'
import { sha256 } from '../../src/crypto/sha256.ts'
import { type BlockChanges, finalize, keyOf, oddEvent, precommits, testBlock, testChain, testEvent } from './fixture.ts'

const chain = testChain()
const { genesis, next } = chain
const events = [1, 2, 3].map((i) => testEvent(chain, i))
const bytes = events.map((event) => event.bytes)
const good = testBlock(chain, { events: bytes })
const finalized = finalize(chain, good)
const other = new Uint8Array(32).fill(0xee)

function checked(frame: Uint8Array): CheckedBlock {
  const result = checkFinalized(genesis, frame)
  if (!result.ok) throw new Error(result.failure.message)
  return result.block
}

/** The failure of a whole check, links included. */
function fault(frame: Uint8Array, of = chain, verifyEvents = false): Failure | undefined {
  const result = checkFinalized(of.genesis, frame, { verifyEvents })
  return result.ok ? checkLink(of.genesis, of.next, result.block) : result.failure
}

const faultOf = (changes: BlockChanges): string | undefined =>
  fault(finalize(chain, testBlock(chain, { events: bytes, ...changes })))?.code

describe('a finalized block', () => {
  test('is accepted, and links', () => {
    const block = checked(finalized)
    expect(checkLink(genesis, next, block)).toBeUndefined()
    expect(block).toMatchObject({ checked: 'finalized', height: 1 })
    expect(block.hash).toEqual(good.hash)
    expect(block.header).toEqual(good.header)
    expect(joinFinalized(block.blockBytes, block.commitBytes)).toEqual(finalized)
    expect(block.commit?.signatures.length).toBe(3)
    expect(block.blockBytes.buffer).toBe(finalized.buffer)
  })

  test('has the ids and key hashes of its events', () => {
    const block = checked(finalized)
    expect(block.eventIds).toEqual(concatBytes(...events.map((event) => event.id)))
    const hashes = events.flatMap((event) => indexKeys(event).map((key) => sha256(key)))
    expect(block.keyHashes).toEqual(concatBytes(...hashes))
  })

  test('may be empty', () => {
    const block = checked(finalize(chain, testBlock(chain)))
    expect(checkLink(genesis, next, block)).toBeUndefined()
    expect([block.eventIds.byteLength, block.keyHashes.byteLength]).toEqual([0, 0])
  })

  test('survives a structured clone', () => {
    const block = checked(finalized)
    expect(structuredClone(block)).toEqual(block)
  })

  test('may be sealed by any validator: rounds are the commit’s business', () => {
    for (let proposer = 0; proposer < 4; proposer++) expect(faultOf({ proposer })).toBeUndefined()
  })

  test('may carry a commit of more than a quorum', () => {
    const commit = buildCommit(genesis, precommits(chain, good.hash, [0, 1, 2, 3]))
    expect(fault(joinFinalized(good.blockBytes, encodeCommit(commit)))).toBeUndefined()
  })
})

describe('TOO_LARGE', () => {
  const small = testChain(4, { params: { maxBlockBytes: 4096, maxEventBytes: 1024, maxBlockEvents: 4 } })

  test('a frame that no valid block fills is not looked at', () => {
    expect(fault(new Uint8Array(maxFinalizedBytes(genesis) + 1))?.code).toBe('TOO_LARGE')
    expect(fault(new Uint8Array(maxFinalizedBytes(genesis)))?.code).toBe('NON_CANONICAL')
  })

  test('a block above max_block_bytes', () => {
    const id = (length: number) => ({ resource: { kind: 'k', id: 'x'.repeat(length) }, metadata: [] })
    const rest = Array.from({ length: 3 }, (_, i) => testEvent(small, i, id(512)).bytes)
    const value = (length: number) => [{ key: 'a', value: 'x'.repeat(length) }]
    const block = (length: number) =>
      testBlock(small, { events: [...rest, testEvent(small, 9, { metadata: value(length) }).bytes] })
    const room = 4096 - block(1000).blockBytes.byteLength
    expect(fault(finalize(small, block(1000 + room)), small)).toBeUndefined()
    expect(fault(finalize(small, block(1001 + room)), small)).toMatchObject({
      code: 'TOO_LARGE',
      message: 'block is 4097 bytes; accepted: at most 4096'
    })
  })

  test('more events than max_block_events', () => {
    const of = (count: number) =>
      finalize(small, testBlock(small, { events: Array.from({ length: count }, (_, i) => testEvent(small, i).bytes) }))
    expect(fault(of(4), small)).toBeUndefined()
    expect(fault(of(5), small)).toMatchObject({ code: 'TOO_LARGE', message: expect.stringContaining('5 events') })
  })

  test('a commit of more signatures than there are validators', () => {
    const { signatures, ...rest } = buildCommit(genesis, precommits(chain, good.hash, [0, 1, 2, 3]))
    const long = encodeCommit({ ...rest, signatures: [...signatures, ...signatures] })
    expect(fault(joinFinalized(good.blockBytes, long))?.code).toBe('TOO_LARGE')
  })
})

describe('NON_CANONICAL', () => {
  const { block, commit } = splitFinalized(finalized)
  const event = events[0] as (typeof events)[number]
  const cases: [what: string, frame: Uint8Array][] = [
    ['something trailing', concatBytes(finalized, Uint8Array.of(0))],
    ['something trailing in the block', joinFinalized(concatBytes(block, Uint8Array.of(0x20, 1)), commit)],
    ['something trailing in the commit', joinFinalized(block, concatBytes(commit, Uint8Array.of(0x28, 1)))],
    ['no commit', joinFinalized(block, new Uint8Array(0))],
    ['nothing', new Uint8Array(0)],
    ['a header of too few fields', joinFinalized(joinBlock(Uint8Array.of(8, 1), new Uint8Array(64), []), commit)],
    [
      'an event whose body has something trailing',
      finalize(chain, testBlock(chain, { events: [oddEvent(chain, concatBytes(event.body, Uint8Array.of(0x40, 1)))] }))
    ]
  ]
  test.each(cases)('%s', (_what, frame) => {
    expect(fault(frame)?.code).toBe('NON_CANONICAL')
  })
})

describe('headers', () => {
  const timestamp = good.header.timestamp
  const cases: [code: string, header: Partial<Header>][] = [
    ['BAD_VERSION', { version: 2 }],
    ['BAD_HEIGHT', { height: 2 }],
    ['BAD_PARENT', { parentHash: other }],
    ['BAD_VALIDATORS_HASH', { validatorsHash: other }],
    ['BAD_VALIDATORS_HASH', { nextValidatorsHash: other }],
    ['BAD_EVENT_COUNT', { eventCount: 4 }],
    ['BAD_EVENTS_ROOT', { eventsRoot: other }],
    ['BAD_MMR_ROOT', { mmrRoot: other }],
    ['BAD_STATE_ROOT', { stateRoot: other }],
    ['BAD_TIMESTAMP', { timestamp: next.parentTimestamp }],
    ['BAD_TIMESTAMP', { timestamp: 1 }],
    ['BAD_PROPOSER', { proposer: new Uint8Array(keyOf('stranger').publicKey) }]
  ]
  test.each(cases)('%s %o', (code, header) => {
    // A height that is not the commit's is caught before the commit.
    expect(faultOf({ header })).toBe(code)
  })

  test('one millisecond after the parent is enough', () => {
    expect(timestamp).toBeGreaterThan(next.parentTimestamp)
    expect(faultOf({ header: { timestamp: next.parentTimestamp + 1 } })).toBeUndefined()
  })

  test('BAD_EVENTS_ROOT: events in another order', () => {
    const swapped = [bytes[1], bytes[0], bytes[2]] as Uint8Array[]
    const { seal } = splitBlock(good.blockBytes)
    const frame = finalize(chain, { ...good, blockBytes: joinBlock(encodeHeader(good.header), seal, swapped) })
    expect(fault(frame)?.code).toBe('BAD_EVENTS_ROOT')
  })

  test('BAD_SEAL: another hash, another validator, another chain', () => {
    const foreign = testBlock(testChain(4, { chainId: 'other' }), { events: bytes })
    for (const seal of [new Uint8Array(64), splitBlock(foreign.blockBytes).seal]) {
      expect(faultOf({ seal })).toBe('BAD_SEAL')
    }
    const key = chain.keys[3]?.publicKey as Uint8Array<ArrayBuffer>
    expect(faultOf({ proposer: 2, header: { proposer: key } })).toBe('BAD_SEAL')
  })
})

describe('the commit', () => {
  const withCommit = (commit: Uint8Array) => fault(joinFinalized(good.blockBytes, commit))?.code

  test('COMMIT_WRONG_BLOCK', () => {
    const commit = buildCommit(genesis, precommits(chain, other, [0, 1, 2]))
    expect(withCommit(encodeCommit(commit))).toBe('COMMIT_WRONG_BLOCK')
  })

  test('COMMIT_TOO_FEW', () => {
    const commit = buildCommit(genesis, precommits(chain, good.hash, [0, 1, 2]))
    const few = encodeCommit({ ...commit, signatures: commit.signatures.slice(1) })
    expect(withCommit(few)).toBe('COMMIT_TOO_FEW')
  })

  test('COMMIT_BAD_SIGNATURE of another chain with the same validators', () => {
    const foreign = testChain(4, { chainId: 'other' })
    const commit = buildCommit(foreign.genesis, precommits(foreign, good.hash, [0, 1, 2]))
    expect(withCommit(encodeCommit(commit))).toBe('COMMIT_BAD_SIGNATURE')
  })
})

describe('the code reported is the first of the protocol', () => {
  test('of a link and a deferred fault, whichever comes first', () => {
    expect(faultOf({ header: { parentHash: other }, seal: new Uint8Array(64) })).toBe('BAD_PARENT')
    expect(faultOf({ header: { eventCount: 9, mmrRoot: other } })).toBe('BAD_EVENT_COUNT')
    expect(faultOf({ header: { mmrRoot: other }, seal: new Uint8Array(64) })).toBe('BAD_MMR_ROOT')
    expect(faultOf({ header: { version: 3, height: 7 } })).toBe('BAD_VERSION')
  })

  test('a block with a deferred fault offers no ids and never links', () => {
    const block = checked(finalize(chain, testBlock(chain, { events: bytes, seal: new Uint8Array(64) })))
    expect(block.deferred?.code).toBe('BAD_SEAL')
    expect(block.eventIds.byteLength).toBe(0)
    expect(checkLink(genesis, next, block)?.code).toBe('BAD_SEAL')
  })

  test('stages', () => {
    const [a, b] = [failure('BAD_PARENT', 'a'), failure('BAD_SEAL', 'b')]
    expect(firstFailure(b, undefined, a)).toBe(a)
    expect(firstFailure(undefined)).toBeUndefined()
  })
})

describe('--verify-events', () => {
  const forged = testBlock(chain, { events: [forgedEvent()] })

  function forgedEvent(): Uint8Array {
    const event = new Uint8Array(bytes[0] as Uint8Array)
    event[event.length - 1] = (event.at(-1) as number) ^ 1
    return event
  }

  test('a block that a quorum signed is believed without it', () => {
    expect(fault(finalize(chain, forged))).toBeUndefined()
    expect(fault(finalize(chain, forged), chain, true)?.code).toBe('EVENT_BAD_SIGNATURE')
    expect(fault(finalized, chain, true)).toBeUndefined()
  })
})

test('the hash is over the header and the genesis', () => {
  expect(blockHash(genesis.hash, good.header)).toEqual(good.hash)
  expect(blockHash(testChain(4, { chainId: 'other' }).genesis.hash, good.header)).not.toEqual(good.hash)
})

describe('a block that was checked as a proposal, with its commit', () => {
  const proposed = checkProposed(genesis, good.blockBytes)
  if (!proposed.ok) throw new Error(proposed.failure.message)
  const { block } = proposed
  const commitOf = (signers: readonly number[], hash = good.hash) => {
    const { height, round, blockHash, signatures } = buildCommit(genesis, precommits(chain, hash, [0, 1, 2]))
    const every = precommits(chain, hash, signers).map(({ validator, signature }) => ({ validator, signature }))
    return encodeCommit({ height, round, blockHash, signatures: signers.length === 3 ? signatures : every })
  }
  const broken = commitOf([0, 1, 2]).slice()
  broken[broken.length - 1] = (broken.at(-1) as number) ^ 1

  test.each([
    ['good', commitOf([0, 1, 2])],
    ['of too few', commitOf([0, 1])],
    ['of one signer twice', commitOf([0, 1, 1, 2])],
    ['out of order', commitOf([3, 2, 1, 0])],
    ['for another block', commitOf([0, 1, 2], other)],
    ['with a false signature', broken],
    ['that is not canonical', concatBytes(commitOf([0, 1, 2]), Uint8Array.of(0))],
    ['too large', new Uint8Array(2000)]
  ])('is what a whole check makes of it: a commit that is %s', (_, commit) => {
    expect(certify(genesis, block, commit).ok).toBe(checkFinalized(genesis, joinFinalized(good.blockBytes, commit)).ok)
    const whole = checkFinalized(genesis, joinFinalized(good.blockBytes, commit))
    if (whole.ok && whole.block.deferred === undefined) expect(certify(genesis, block, commit)).toEqual(whole)
    else if (whole.ok)
      expect(certify(genesis, block, commit)).toMatchObject({ block: { deferred: whole.block.deferred } })
    else expect(certify(genesis, block, commit)).toMatchObject({ failure: { code: whole.failure.code } })
  })
})
