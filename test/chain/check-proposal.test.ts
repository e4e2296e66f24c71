import { describe, expect, test } from 'vitest'
import { cheapBlockCheck, checkLink, checkProposed } from '../../src/chain/check-block.ts'
import { foreignBlockFailure } from '../../src/chain/check-proposal.ts'
import { EventBody } from '../../src/chain/event.ts'
import { checkNewBlockMessage } from '../../src/chain/gossip-checks.ts'
import { checkProposal, decodeProposal, encodeProposal, signProposal } from '../../src/chain/proposal.ts'
import { concatBytes } from '../../src/codec/bytes.ts'
import { joinBlock, joinNewBlock, splitBlock } from '../../src/codec/raw.ts'
import type { KeyPair } from '../../src/crypto/ed25519.ts'
import {
  type BlockChanges,
  eventFields,
  GENESIS_TIME,
  keyOf,
  oddEvent,
  type TestChain,
  testBlock,
  testChain,
  testEvent
} from './fixture.ts'

const chain = testChain()
const { genesis, next } = chain
const events = [1, 2, 3].map((i) => testEvent(chain, i))
const bytes = events.map((event) => event.bytes)
const good = testBlock(chain, { events: bytes })

function fault(changes: BlockChanges, of: TestChain = chain): string | undefined {
  const result = checkProposed(of.genesis, testBlock(of, { events: bytes, ...changes }).blockBytes)
  return (result.ok ? checkLink(of.genesis, of.next, result.block) : result.failure)?.code
}

describe('a proposed block', () => {
  test('is accepted with its events’ timestamps', () => {
    const result = checkProposed(genesis, good.blockBytes)
    if (!result.ok) throw new Error(result.failure.message)
    expect(checkLink(genesis, next, result.block)).toBeUndefined()
    expect(result.block).toMatchObject({ checked: 'proposal', height: 1, commit: undefined })
    expect(result.block.eventTimestamps).toEqual([1, 2, 3].map((i) => GENESIS_TIME + 1000 + i))
    expect(result.block.eventIds).toEqual(concatBytes(...events.map((event) => event.id)))
    expect(structuredClone(result.block)).toEqual(result.block)
  })

  test('is held to §7 too', () => {
    expect(fault({ header: { version: 2 } })).toBe('BAD_VERSION')
    expect(fault({ header: { height: 2 } })).toBe('BAD_HEIGHT')
    expect(fault({ header: { eventCount: 2 } })).toBe('BAD_EVENT_COUNT')
    expect(fault({ seal: new Uint8Array(64) })).toBe('BAD_SEAL')
    const result = checkProposed(genesis, concatBytes(good.blockBytes, Uint8Array.of(0x20, 1)))
    expect(result.ok ? undefined : result.failure.code).toBe('NON_CANONICAL')
  })

  test('EVENT_TOO_LARGE', () => {
    const small = testChain(4, { params: { maxEventBytes: 1024 } })
    const of = (length: number) => testEvent(small, 1, { metadata: [{ key: 'a', value: 'x'.repeat(length) }] }).bytes
    const most = 700 + 1024 - of(700).byteLength
    expect(fault({ events: [of(most)] }, small)).toBeUndefined()
    expect(fault({ events: [of(most + 1)] }, small)).toBe('EVENT_TOO_LARGE')
  })

  test('EVENT_BOUNDS', () => {
    const odd = oddEvent(chain, EventBody.encode(eventFields(1, { action: 'Capitals' })))
    expect(fault({ events: [odd] })).toBe('EVENT_BOUNDS')
  })

  test('EVENT_ACTOR_UNKNOWN', () => {
    const closed = testChain(4, { actors: [keyOf('actor')] })
    expect(fault({ events: [testEvent(closed, 1).bytes] }, closed)).toBeUndefined()
    expect(fault({ events: [testEvent(closed, 1, {}, 'stranger').bytes] }, closed)).toBe('EVENT_ACTOR_UNKNOWN')
  })

  test('EVENT_OUTSIDE_WINDOW, on both sides', () => {
    const { eventWindowMs } = genesis.params
    const block = good.header.timestamp
    for (const side of [-1, 1]) {
      const at = (distance: number) => ({ events: [testEvent(chain, 1, { timestamp: block + side * distance }).bytes] })
      expect(fault(at(eventWindowMs))).toBeUndefined()
      expect(fault(at(eventWindowMs + 1))).toBe('EVENT_OUTSIDE_WINDOW')
    }
  })

  test('EVENT_REPEATED in the block', () => {
    expect(fault({ events: [...bytes, bytes[0] as Uint8Array] })).toBe('EVENT_REPEATED')
  })

  test('EVENT_BAD_SIGNATURE: a changed one, and one for another chain', () => {
    const forged = new Uint8Array(bytes[1] as Uint8Array)
    forged[forged.length - 40] = (forged.at(-40) as number) ^ 1
    const foreign = testEvent(testChain(4, { chainId: 'other' }), 1).bytes
    for (const event of [forged, foreign]) {
      expect(fault({ events: [bytes[0] as Uint8Array, event] })).toBe('EVENT_BAD_SIGNATURE')
    }
  })
})

describe('what gossip checks before it forwards', () => {
  const turn = (round: number): KeyPair => chain.keys[genesis.validators.proposer(1, round)] as KeyPair

  interface Changes {
    readonly block?: typeof good
    readonly round?: number
    readonly validRound?: number
    readonly key?: KeyPair
    readonly signature?: Uint8Array
  }

  function payload({ block = good, round = 0, validRound, key = turn(round), signature }: Changes = {}): Uint8Array {
    const slot = { height: block.header.height, round, validRound, blockHash: block.hash }
    return joinNewBlock({
      round,
      validRound,
      block: block.blockBytes,
      signature: signature ?? signProposal(genesis.hash, key, slot)
    })
  }

  const code = (changes: Changes): string | undefined => {
    const result = cheapBlockCheck(genesis, payload(changes))
    return result.ok ? undefined : result.failure.code
  }

  test('a fresh proposal is accepted with all that is in it', () => {
    const result = cheapBlockCheck(genesis, payload())
    if (!result.ok) throw new Error(result.failure.message)
    expect(result).toMatchObject({ round: 0, validRound: undefined, header: good.header })
    expect(result.hash).toEqual(good.hash)
    expect(result.blockBytes).toEqual(good.blockBytes)
    const { height } = result.header
    expect(checkProposal(genesis, { height, round: 0, blockHash: result.hash }, result.signature)).toBeUndefined()
  })

  test('a re-proposal keeps the header of an earlier proposer', () => {
    expect(code({ round: 2, validRound: 0 })).toBeUndefined()
    expect(code({ round: 2 })).toBe('BAD_PROPOSER')
  })

  test('what the block says is not looked at', () => {
    expect(
      code({ block: testBlock(chain, { header: { stateRoot: new Uint8Array(32), eventCount: 7 } }) })
    ).toBeUndefined()
  })

  test('TOO_LARGE: the payload, and the block in it', () => {
    const frame = new Uint8Array(genesis.params.maxBlockBytes + 129)
    const result = cheapBlockCheck(genesis, frame)
    expect(result).toMatchObject({ failure: { code: 'TOO_LARGE', message: expect.stringContaining('new block') } })
    const block = (length: number) => {
      const event = (metadata: EventBody['metadata']) => oddEvent(chain, EventBody.encode(eventFields(1, { metadata })))
      return testBlock(chain, { events: [event([{ key: 'a', value: 'x'.repeat(length) }])] })
    }
    const most = 1_000_000 + genesis.params.maxBlockBytes - block(1_000_000).blockBytes.byteLength
    expect(code({ block: block(most) })).toBeUndefined()
    expect(code({ block: block(most + 1) })).toBe('TOO_LARGE')
  })

  test('a large block is hashed in steps, and found as good or bad as at once; a small one needs no pause', async () => {
    const many = Array.from({ length: 4500 }, (_, index) => bytes[index % bytes.length] as Uint8Array)
    const large = testBlock(chain, { events: many })
    const { header, seal } = splitBlock(large.blockBytes)
    const swapped = { ...large, blockBytes: joinBlock(header, seal, [bytes[1] as Uint8Array, ...many.slice(1)]) }
    let pauses = 0
    const check = (block: typeof good) => checkNewBlockMessage(genesis, payload({ block }), async () => pauses++)
    expect(check(good)).toMatchObject({ ok: true })
    expect(pauses).toBe(0)
    const message = cheapBlockCheck(genesis, payload({ block: large }))
    expect(await check(large)).toEqual({ ok: true, message })
    expect(pauses).toBe(3)
    expect(await check(swapped)).toEqual({ ok: false, code: 'BAD_EVENTS_ROOT' })
    expect(pauses).toBe(6)
  })

  test('events that are not under the hash: none left out, added, changed or moved', () => {
    const { header: headerBytes, seal } = splitBlock(good.blockBytes)
    const changed = new Uint8Array(bytes[1] as Uint8Array)
    changed[changed.length - 1] = (changed.at(-1) as number) ^ 1
    const [a, b, c] = bytes as [Uint8Array, Uint8Array, Uint8Array]
    for (const others of [[], [a, b], [a, b, c, c], [a, changed, c], [b, a, c]]) {
      const blockBytes = joinBlock(headerBytes, seal, others)
      expect(code({ block: { ...good, blockBytes } })).toBe('BAD_EVENTS_ROOT')
      const failure = foreignBlockFailure(genesis, blockBytes, good.header, good.hash)
      expect(failure?.code).toBe('BAD_EVENTS_ROOT')
    }
    const many = testChain(4, { params: { maxBlockEvents: 2 } })
    const block = testBlock(many, { events: bytes })
    const slot = { height: 1, round: 0, blockHash: block.hash }
    const signature = signProposal(
      many.genesis.hash,
      many.keys[many.genesis.validators.proposer(1, 0)] as KeyPair,
      slot
    )
    const result = cheapBlockCheck(
      many.genesis,
      joinNewBlock({ round: 0, validRound: undefined, block: block.blockBytes, signature })
    )
    expect(result.ok ? undefined : result.failure.code).toBe('TOO_LARGE')
  })

  test('of a block by its hash: what another sender could have changed, and nothing that is under the hash', () => {
    const failure = (blockBytes: Uint8Array, { header, hash } = good) =>
      foreignBlockFailure(genesis, blockBytes, header, hash)?.code
    expect(failure(good.blockBytes)).toBeUndefined()
    expect(failure(concatBytes(good.blockBytes, Uint8Array.of(0x20, 1)))).toBe('NON_CANONICAL')
    const { header, events: parts } = splitBlock(good.blockBytes)
    expect(failure(joinBlock(header, new Uint8Array(64), parts))).toBe('BAD_SEAL')
    const odd = oddEvent(chain, EventBody.encode(eventFields(1, { action: 'Capitals' })))
    for (const changes of [
      { header: { proposer: new Uint8Array(32) } },
      { header: { eventCount: 7 } },
      { events: [odd] }
    ]) {
      const block = testBlock(chain, changes)
      expect(failure(block.blockBytes, block)).toBeUndefined()
    }
  })

  test('NON_CANONICAL', () => {
    const result = cheapBlockCheck(genesis, concatBytes(payload(), Uint8Array.of(0x28, 1)))
    expect(result.ok ? undefined : result.failure.code).toBe('NON_CANONICAL')
  })

  test('BAD_PROPOSER: a stranger, or a validator out of turn', () => {
    const stranger = new Uint8Array(keyOf('stranger').publicKey)
    expect(code({ block: testBlock(chain, { header: { proposer: stranger } }) })).toBe('BAD_PROPOSER')
    expect(code({ block: testBlock(chain, { header: { proposer: stranger } }), round: 2, validRound: 1 })).toBe(
      'BAD_PROPOSER'
    )
    expect(code({ block: testBlock(chain, { proposer: 3 }) })).toBe('BAD_PROPOSER')
  })

  test('BAD_SEAL', () => {
    expect(code({ block: testBlock(chain, { seal: new Uint8Array(64) }) })).toBe('BAD_SEAL')
  })

  test('BAD_PROPOSAL: a valid round that is not an earlier one', () => {
    expect(code({ round: 0, validRound: 0 })).toBe('BAD_PROPOSAL')
    expect(code({ round: 4, validRound: 5 })).toBe('BAD_PROPOSAL')
  })

  test('BAD_PROPOSAL_SIGNATURE: by another validator, or over another slot', () => {
    expect(code({ key: turn(1) })).toBe('BAD_PROPOSAL_SIGNATURE')
    const slot = { height: 1, round: 0, blockHash: good.hash }
    expect(code({ round: 4, validRound: 0, signature: signProposal(genesis.hash, turn(0), slot) })).toBe(
      'BAD_PROPOSAL_SIGNATURE'
    )
  })
})

test('a proposal is read back from its encoding', () => {
  const slot = { height: 1, round: 2, validRound: 0, blockHash: good.hash }
  const signature = signProposal(genesis.hash, chain.keys[3] as KeyPair, slot)
  const proposal = decodeProposal(encodeProposal({ ...slot, signature }))
  expect(proposal).toEqual({ ...slot, signature })
  expect(checkProposal(genesis, proposal, proposal.signature)).toBeUndefined()
  const { validRound, ...fresh } = slot
  expect(decodeProposal(encodeProposal({ ...fresh, signature })).validRound).toBeUndefined()
  expect(() => decodeProposal(new Uint8Array(3))).toThrow(expect.objectContaining({ code: 'NON_CANONICAL' }))
})
