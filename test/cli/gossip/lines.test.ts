import { describe, expect, test } from 'vitest'
import { signEvent } from '../../../src/chain/event.ts'
import {
  assertPeers,
  type Filter,
  heightsOption,
  passes,
  peerOption,
  topicsOption,
  typesOption
} from '../../../src/cli/gossip/filter.ts'
import { jsonLine } from '../../../src/cli/gossip/json-line.ts'
import { textLine } from '../../../src/cli/gossip/text-line.ts'
import { toHex } from '../../../src/codec/bytes.ts'
import type { KeyPair } from '../../../src/crypto/ed25519.ts'
import type { Observation } from '../../../src/observer/observations.ts'
import { ChainMaker } from '../../support/chain-maker.ts'

const maker = new ChainMaker({ eventsPerBlock: 1 })
const { validators } = maker.genesis
const AT = Date.UTC(2026, 0, 1, 12, 0, 5, 123)
const PEER = '12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf'
const HASH = 'ab'.repeat(32)

const received = { at: AT, from: PEER, fromValidator: undefined, bytes: 1234 }
const message = { type: 'message', ...received, blockTime: AT - 182, conflict: false, late: false } as const
const block = { height: 120, round: 0, hash: HASH, parentHash: HASH, timestamp: AT - 182, proposer: 1, eventCount: 3 }

const finalized: Observation = {
  ...message,
  topic: 'finalized',
  message: { type: 'finalized', ...block, signers: [0, 1, 3] }
}
const proposal: Observation = {
  ...message,
  topic: 'block',
  fromValidator: 2,
  message: { type: 'new-block', ...block, round: 2, validRound: 1 },
  conflict: true
}
const nil: Observation = {
  ...message,
  topic: 'vote',
  blockTime: undefined,
  message: { type: 'precommit', height: 121, round: 1, hash: undefined, validator: 3 },
  late: true
}
const event = signEvent(maker.genesis.hash, maker.actors[0] as KeyPair, {
  timestamp: AT,
  action: 'login',
  resource: { kind: 'account', id: 'alice' },
  outcome: maker.events()[0]?.fields.outcome as never,
  metadata: []
})
const events: Observation = {
  ...message,
  topic: 'events',
  blockTime: undefined,
  message: { type: 'events', eventCount: 3, voucher: 2, fresh: [event] }
}
const rejected: Observation = { type: 'rejected', ...received, topic: 'vote', code: 'VOTE_BAD_SIGNATURE' }
const gap: Observation = { type: 'gap', at: AT, topic: 'finalized', from: 12, to: 15, disconnectedMs: 5321.4 }
const left: Observation = { type: 'left', at: AT, finalHeight: 11 }
const joined: Observation = { type: 'joined', at: AT, peer: PEER, finalHeight: 16, disconnectedMs: 5321.4 }

describe('lines for people', () => {
  const cases: [Observation, string][] = [
    [finalized, 'finalized  120/0  ababababab…  by v1  3 events  signed by 3 of 4  1,234 B  +182 ms  from …xrMLvKXtf'],
    [
      proposal,
      'new-block  120/2  ababababab…  by v1  3 events  again, valid in round 1  1,234 B  +182 ms  from v2  CONFLICT: a second one where only one may be'
    ],
    [nil, 'precommit  121/1  nil          by v3  1,234 B  from …xrMLvKXtf  late: reported as missed before'],
    [events, 'events     1 event (login), 2 more passed over  vouched for by v2  1,234 B  from …xrMLvKXtf'],
    [rejected, 'rejected   on vote: VOTE_BAD_SIGNATURE  1,234 B  from …xrMLvKXtf'],
    [gap, 'GAP        nothing came on finalized of heights 12 to 15 (4); disconnected for 5.3 s'],
    [{ ...gap, to: 12, disconnectedMs: undefined }, 'GAP        nothing came on finalized of height 12'],
    [left, 'LEFT       no peer is left; final up to 11; trying again'],
    [joined, 'JOINED     peer …xrMLvKXtf, final up to 16; disconnected for 5.3 s']
  ]
  test.each(cases)('%#', (observation, line) => {
    expect(textLine(observation, validators)).toBe(`12:00:05.123  ${line.replaceAll('…xrMLvKXtf', '…rMLvKXtf')}`)
  })
})

describe('lines for programs', () => {
  test('messages', () => {
    const common = { at: AT, from: PEER, from_validator: null, bytes: 1234, conflict: false, late: false }
    expect(jsonLine(finalized, validators)).toEqual({
      type: 'finalized',
      topic: 'finalized',
      ...common,
      height: 120,
      round: 0,
      hash: HASH,
      parent_hash: HASH,
      proposer: 'v1',
      proposer_key: toHex(validators.keys[1] as Uint8Array),
      event_count: 3,
      signers: ['v0', 'v1', 'v3'],
      block_timestamp: AT - 182,
      delay_ms: 182
    })
    expect(jsonLine(proposal, validators)).toMatchObject({ valid_round: 1, from_validator: 'v2', conflict: true })
    expect(jsonLine(nil, validators)).toEqual({
      type: 'precommit',
      topic: 'vote',
      ...common,
      height: 121,
      round: 1,
      hash: null,
      validator: 'v3',
      validator_key: toHex(validators.keys[3] as Uint8Array),
      block_timestamp: null,
      delay_ms: null,
      late: true
    })
    expect(jsonLine(events, validators)).toMatchObject({
      event_count: 3,
      vouched_by: 'v2',
      events: [
        {
          event_id: toHex(event.id),
          actor: toHex(event.actor),
          action: 'login',
          resource: { kind: 'account', id: 'alice' },
          timestamp: AT
        }
      ]
    })
  })

  test('what is no message', () => {
    expect(jsonLine(rejected, validators)).toMatchObject({
      type: 'rejected',
      topic: 'vote',
      code: 'VOTE_BAD_SIGNATURE'
    })
    expect(jsonLine(gap, validators)).toEqual({
      type: 'gap',
      at: AT,
      topic: 'finalized',
      from_height: 12,
      to_height: 15,
      heights: 4,
      disconnected_ms: 5321
    })
    expect(jsonLine(left, validators)).toEqual({ type: 'left', at: AT, final_height: 11 })
    expect(jsonLine(joined, validators)).toMatchObject({ peer: PEER, final_height: 16, disconnected_ms: 5321 })
  })
})

describe('filters', () => {
  const all = [finalized, proposal, nil, events, rejected, gap, left, joined]
  const shown = (filter: Filter): Observation[] => all.filter((one) => passes(filter, one, validators))

  test('none', () => expect(shown({})).toEqual(all))
  test('by topic, gaps too', () => expect(shown({ topic: ['vote'] })).toEqual([nil, rejected, left, joined]))
  test('by type', () => expect(shown({ type: ['events', 'rejected'] })).toEqual([events, rejected, gap, left, joined]))
  test('by peer: id, end of it, or validator', () => {
    expect(shown({ peer: [PEER] })).toEqual(all)
    expect(shown({ peer: [PEER.slice(-8)] })).toEqual(all)
    expect(shown({ peer: [PEER.slice(0, 8)] })).toEqual([gap, left, joined])
    // Too short to be told from others.
    expect(shown({ peer: [PEER.slice(-3)] })).toEqual([gap, left, joined])
    expect(shown({ peer: ['v2', 'v3'] })).toEqual([proposal, gap, left, joined])
  })
  test('by height: what has none is left out, a gap that reaches into it is not', () => {
    expect(shown({ height: { from: 120, to: 120 } })).toEqual([finalized, proposal, left, joined])
    expect(shown({ height: { from: 15, to: 20 } })).toEqual([gap, left, joined])
  })

  test('options', () => {
    expect(heightsOption('12')).toEqual({ from: 12, to: 12 })
    expect(heightsOption('12-20')).toEqual({ from: 12, to: 20 })
    expect(heightsOption('12-')).toEqual({ from: 12, to: Number.MAX_SAFE_INTEGER })
    for (const wrong of ['', '-', '-3', '20-12', '1 - 2', 'x', '1-2-3', '12 20']) {
      expect(() => heightsOption(wrong), wrong).toThrow(/is accepted/)
    }
    expect(topicsOption('block,vote', ['events'])).toEqual(['events', 'block', 'vote'])
    expect(() => topicsOption('')).toThrow(/"" is none/)
    expect(typesOption('prevote')).toEqual(['prevote'])
    expect(peerOption('…KXtf', ['v1'])).toEqual(['v1', 'KXtf'])
    expect(() => peerOption(' ')).toThrow(/is accepted/)
    expect(() => assertPeers({ peer: ['v1', 'KXtf'] }, validators)).toThrow(/"KXtf" is no validator .*v0, v1, v2, v3/)
    assertPeers({ peer: ['v1', 'LvKXtf'] }, validators)
  })
})
