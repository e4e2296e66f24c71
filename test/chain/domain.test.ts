import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import {
  blockHash,
  eventMessage,
  helloMessage,
  proposalMessage,
  sealMessage,
  stateRootHash,
  voteMessage
} from '../../src/chain/domain.ts'
import { toHex } from '../../src/codec/bytes.ts'

const fill = (byte: number): Uint8Array<ArrayBuffer> => new Uint8Array(32).fill(byte)
const hexOf = (byte: number): string => byte.toString(16).padStart(2, '0').repeat(32)
const text = (string: string): string => Buffer.from(string).toString('hex')
const sha = (hex: string): string => createHash('sha256').update(Buffer.from(hex, 'hex')).digest('hex')

const GENESIS = fill(0xaa)

/** The layouts of the protocol, written out as hex once more. */
describe('layouts', () => {
  test('block hash', () => {
    const hash = blockHash(GENESIS, {
      version: 1,
      height: 2 ** 40 + 2,
      parentHash: fill(3),
      eventsRoot: fill(4),
      eventCount: 5,
      mmrRoot: fill(6),
      stateRoot: fill(7),
      validatorsHash: fill(8),
      nextValidatorsHash: fill(9),
      timestamp: 10,
      proposer: fill(11)
    })
    const roots = `${hexOf(6)}${hexOf(7)}${hexOf(8)}${hexOf(9)}`
    const fields = `00000001 0000010000000002 ${hexOf(3)}${hexOf(4)} 00000005 ${roots} 000000000000000a ${hexOf(11)}`
    expect(toHex(hash)).toBe(sha(`${text('moloch/header/v1')}${hexOf(0xaa)}${fields.replaceAll(' ', '')}`))
  })

  test('event', () => {
    const message = eventMessage(GENESIS, Uint8Array.of(1, 2))
    expect(toHex(message)).toBe(`${text('moloch/event/v1')}${hexOf(0xaa)}0102`)
  })

  test('seal', () => {
    expect(toHex(sealMessage(GENESIS, fill(1)))).toBe(`${text('moloch/seal/v1')}${hexOf(0xaa)}${hexOf(1)}`)
  })

  test('vote', () => {
    const start = `${text('moloch/vote/v1')}${hexOf(0xaa)}`
    const precommit = voteMessage(GENESIS, { type: 'PRECOMMIT', height: 258, round: 3, blockHash: fill(1) })
    expect(toHex(precommit)).toBe(`${start}02000000000000010200000003${hexOf(1)}`)
    const nil = voteMessage(GENESIS, { type: 'PREVOTE', height: 1, round: 0, blockHash: new Uint8Array(0) })
    expect(toHex(nil)).toBe(`${start}01000000000000000100000000`)
    const none = { type: 'VOTE_UNSPECIFIED', height: 1, round: 0, blockHash: fill(1) } as const
    expect(() => voteMessage(GENESIS, none)).toThrow(RangeError)
  })

  test('proposal', () => {
    const start = `${text('moloch/proposal/v1')}${hexOf(0xaa)}`
    const fresh = proposalMessage(GENESIS, { height: 1, round: 2, blockHash: fill(1) })
    expect(toHex(fresh)).toBe(`${start}00000000000000010000000200000000${hexOf(1)}`)
    const again = proposalMessage(GENESIS, { height: 1, round: 2, validRound: 0, blockHash: fill(1) })
    expect(toHex(again)).toBe(`${start}00000000000000010000000200000001${hexOf(1)}`)
  })

  test('hello', () => {
    const message = helloMessage(GENESIS, {
      role: 2,
      initiatorNonce: fill(1),
      responderNonce: fill(2),
      initiatorPeerId: Uint8Array.of(3),
      responderPeerId: Uint8Array.of(4)
    })
    const peers = `${sha('03')}${sha('04')}`
    expect(toHex(message)).toBe(`${text('moloch/hello/v1')}${hexOf(0xaa)}02${hexOf(1)}${hexOf(2)}${peers}`)
  })

  test('state root', () => {
    const root = stateRootHash(7, fill(1), fill(2), fill(3), fill(4))
    const roots = `${hexOf(1)}${hexOf(2)}${hexOf(3)}${hexOf(4)}`
    expect(toHex(root)).toBe(sha(`${text('moloch/state/v1')}0000000000000007${roots}`))
  })
})
