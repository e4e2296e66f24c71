import { describe, expect, test } from 'vitest'
import { decodeCommit } from '../../src/chain/commit.ts'
import { eventId, signEvent } from '../../src/chain/event.ts'
import type { Checked } from '../../src/chain/gossip-rules.ts'
import { signProposal } from '../../src/chain/proposal.ts'
import { encodeVote, signVote, VoteType } from '../../src/chain/vote.ts'
import { toHex } from '../../src/codec/bytes.ts'
import { TrustedHeader } from '../../src/codec/generated/chain.ts'
import { SignedEvent } from '../../src/codec/generated/event.ts'
import { joinEvents, joinFinalized, joinNewBlock, splitBlock, splitFinalized } from '../../src/codec/raw.ts'
import type { KeyPair } from '../../src/crypto/ed25519.ts'
import type { Topic } from '../../src/network/types.ts'
import { checkMessage } from '../../src/observer/check-message.ts'
import type { Decoded } from '../../src/observer/decoded.ts'
import { ChainMaker } from '../support/chain-maker.ts'

const maker = new ChainMaker({ eventsPerBlock: 3 })
const { genesis, validators } = maker
const built = maker.propose()
const hash = toHex(built.hash)
const events = maker.events()

function check(topic: Topic, payload: Uint8Array, verified: readonly string[] = []): Promise<Checked<Decoded>> {
  return checkMessage(genesis, topic, payload, (id) => verified.includes(toHex(id)))
}

async function code(topic: Topic, payload: Uint8Array): Promise<string | undefined> {
  const checked = await check(topic, payload)
  return checked.ok ? undefined : checked.code
}

function broken(bytes: Uint8Array, at = bytes.length - 1): Uint8Array {
  const copy = new Uint8Array(bytes)
  copy[at] = (copy[at] as number) ^ 1
  return copy
}

function newBlock(round = 0, signer = genesis.validators.proposer(1, round)): Uint8Array {
  const slot = { height: 1, round, validRound: undefined, blockHash: built.hash }
  const signature = signProposal(genesis.hash, validators[signer] as KeyPair, slot)
  return joinNewBlock({ round, block: built.blockBytes, signature })
}

describe('block', () => {
  test('says what it proposes', async () => {
    const { header } = built
    expect(await check('block', newBlock())).toEqual({
      ok: true,
      message: {
        type: 'new-block',
        height: 1,
        round: 0,
        validRound: undefined,
        hash,
        parentHash: toHex(header.parentHash),
        timestamp: header.timestamp,
        proposer: 1,
        eventCount: 3
      }
    })
  })

  test('is rejected for form, turn, seal and signature', async () => {
    expect(await code('block', new Uint8Array([1, 2]))).toBe('NON_CANONICAL')
    expect(await code('block', newBlock(1))).toBe('BAD_PROPOSER')
    expect(await code('block', newBlock(0, 0))).toBe('BAD_PROPOSAL_SIGNATURE')
    expect(await code('block', new Uint8Array(genesis.params.maxBlockBytes + 129))).toBe('TOO_LARGE')
  })
})

describe('vote', () => {
  const vote = (type = VoteType.PREVOTE, blockHash: Uint8Array = built.hash) =>
    signVote(genesis.hash, validators[2] as KeyPair, { type, height: 1, round: 3, blockHash })

  test('says who votes for what', async () => {
    const base = { height: 1, round: 3, validator: 2 }
    expect(await check('vote', encodeVote(vote()))).toEqual({ ok: true, message: { type: 'prevote', hash, ...base } })
    expect(await check('vote', encodeVote(vote(VoteType.PRECOMMIT, new Uint8Array(0))))).toEqual({
      ok: true,
      message: { type: 'precommit', hash: undefined, ...base }
    })
  })

  test('is rejected for form, type, validator and signature', async () => {
    expect(await code('vote', new Uint8Array(0))).toBe('NON_CANONICAL')
    expect(await code('vote', encodeVote({ ...vote(), type: VoteType.VOTE_UNSPECIFIED }))).toBe('VOTE_MALFORMED')
    expect(await code('vote', encodeVote({ ...vote(), validator: new Uint8Array(32) }))).toBe('VOTE_UNKNOWN_VALIDATOR')
    expect(await code('vote', broken(encodeVote(vote())))).toBe('VOTE_BAD_SIGNATURE')
  })
})

describe('finalized, and header', () => {
  const bytes = maker.finalize(built, [0, 2, 3])
  const { block, commit } = splitFinalized(bytes)
  const { seal } = splitBlock(block)
  const trusted = (changes: Partial<TrustedHeader> = {}) =>
    TrustedHeader.encode({
      header: built.header,
      seal,
      commit: decodeCommit(commit),
      mmrRoot: new Uint8Array(32),
      ...changes
    } as TrustedHeader)

  test('say what is final, and by whom', async () => {
    for (const [topic, payload] of [
      ['finalized', bytes],
      ['header', trusted()]
    ] as const) {
      expect(await check(topic, payload)).toMatchObject({
        ok: true,
        message: { type: topic, height: 1, round: 0, hash, proposer: 1, eventCount: 3, signers: [0, 2, 3] }
      })
    }
  })

  test('are rejected for form, events, seal and commit', async () => {
    expect(await code('finalized', new Uint8Array([9]))).toBe('NON_CANONICAL')
    expect(await code('finalized', broken(bytes))).toBe('COMMIT_BAD_SIGNATURE')
    const other = splitFinalized(maker.finalize(maker.propose([]), [0, 1, 2])).commit
    expect(await code('finalized', joinFinalized(block, other))).toBe('COMMIT_WRONG_BLOCK')
    expect(await code('header', new Uint8Array([9]))).toBe('NON_CANONICAL')
    expect(await code('header', trusted({ seal: new Uint8Array(64) }))).toBe('BAD_SEAL')
    expect(await code('header', trusted({ commit: decodeCommit(other) }))).toBe('COMMIT_WRONG_BLOCK')
  })
})

describe('events', () => {
  const payload = joinEvents(events.map(({ bytes }) => bytes))

  test('are all of them, of whatever time', async () => {
    const { fields } = events[0] as (typeof events)[0]
    const late = { ...fields, timestamp: fields.timestamp + 10 * genesis.params.eventWindowMs }
    const old = signEvent(genesis.hash, maker.actors[0] as KeyPair, late)
    const checked = await check('events', joinEvents([...events, old].map(({ bytes }) => bytes)))
    if (!checked.ok || checked.message.type !== 'events') throw new Error('rejected')
    expect(checked.message.eventCount).toBe(4)
    expect(checked.message.fresh.map(({ id }) => toHex(id))).toEqual([...events, old].map(({ id }) => toHex(id)))
    expect(await code('events', joinEvents([broken(old.bytes)]))).toBe('EVENT_BAD_SIGNATURE')
  })

  test('that were found good once are not checked again', async () => {
    const [first] = events as [(typeof events)[0]]
    // Of no message: that it is taken for checked shows by its false signature.
    const forged = broken(first.bytes)
    const { actor, signature, body } = SignedEvent.decode(forged)
    const id = toHex(eventId(actor, signature, body))
    expect(await check('events', joinEvents([forged]), [id])).toMatchObject({ ok: true })
    expect(await code('events', joinEvents([forged]))).toBe('EVENT_BAD_SIGNATURE')
  })

  test('are rejected if there are none, for form, and for one false signature', async () => {
    expect(await code('events', joinEvents([]))).toBe('EVENT_MALFORMED')
    expect(await code('events', new Uint8Array([1]))).toBe('NON_CANONICAL')
    expect(await code('events', broken(payload))).toBe('EVENT_BAD_SIGNATURE')
  })
})
