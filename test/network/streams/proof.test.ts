import { describe, expect, test } from 'vitest'
import { genesisHeader } from '../../../src/chain/header.ts'
import { concatBytes } from '../../../src/codec/bytes.ts'
import { GetProof, Proof } from '../../../src/codec/generated/sync.ts'
import type { Frame } from '../../../src/network/streams/frames.ts'
import { MAX_SMALL_REQUEST_BYTES } from '../../../src/network/streams/messages.ts'
import { assertProofRequest, maxProofBytes, readProof } from '../../../src/network/streams/proof.ts'
import { refusal, refusalFrame } from '../../../src/network/streams/refusal.ts'
import { chain } from '../support/nodes.ts'

const hash = (): Frame => new Uint8Array(32).fill(1)
const path = (length: number): Frame[] => Array.from({ length }, hash)
const consistency = { from: 3, to: 7, path: path(3) }
const header = { header: { ...genesisHeader(chain().genesis), proposer: hash() }, mmrPath: path(2), anchorHeight: 4 }
const asked = { consistency: { from: 3, to: 7 } }

const codeOf = (action: () => unknown): string => {
  try {
    action()
    return 'none'
  } catch (error) {
    return (error as { code: string }).code
  }
}

describe('an answer', () => {
  test('is the proof that was asked for', () => {
    expect(readProof(Proof.encode({ consistency }), asked, 'peer')).toEqual({ consistency })
    const proof = { header }
    expect(readProof(Proof.encode(proof), { header: { height: 0, anchorHeight: 4 } }, 'peer')).toEqual(proof)
  })

  test.each<[what: string, code: string, frame: Frame]>([
    ['of another kind', 'BAD_FRAME', Proof.encode({ header })],
    ['of two kinds', 'BAD_FRAME', Proof.encode({ header, consistency })],
    ['of none', 'BAD_FRAME', Proof.encode({})],
    [
      'with something trailing',
      'BAD_FRAME',
      concatBytes(Proof.encode({ consistency }), Uint8Array.of(0x30, 1)) as Frame
    ],
    ['with a short hash', 'BAD_FRAME', Proof.encode({ consistency: { ...consistency, path: [new Uint8Array(31)] } })],
    ['that is none', 'BAD_FRAME', Uint8Array.of(0xff)],
    ['that refuses', 'UNKNOWN_EVENT', refusalFrame(refusal('UNKNOWN_EVENT', 'no')) as Frame],
    ['that refuses for its anchor', 'ANCHOR_TOO_OLD', refusalFrame(refusal('ANCHOR_TOO_OLD', 'no')) as Frame]
  ])('%s: %s', (_, code, frame) => {
    expect(codeOf(() => readProof(frame, asked, 'peer'))).toBe(code)
  })

  test('with the largest event and the longest paths is within its bound', () => {
    const event = { body: new Uint8Array(16_384), actor: hash(), signature: new Uint8Array(64).fill(2) }
    const max = Number.MAX_SAFE_INTEGER
    const filled = { ...header.header, version: 0xffff_ffff, height: max, timestamp: max, eventCount: 0xffff_ffff }
    const proof = { event, eventIndex: 20_000, eventCount: 20_000, header: filled, anchorHeight: max }
    const bytes = Proof.encode({ event: { ...proof, eventPath: path(64), mmrPath: path(64) } })
    expect(bytes.byteLength).toBeLessThanOrEqual(
      maxProofBytes({ event: { eventId: hash(), anchorHeight: max } }, 16_384)
    )
  })
})

describe('an answer with a page of a history', () => {
  const history = { index: 1, key: hash(), anchorHeight: 4, beforeCount: 0, beforeHead: new Uint8Array(0) }
  const whole = {
    anchorHeight: Number.MAX_SAFE_INTEGER,
    state: {
      eventTotal: Number.MAX_SAFE_INTEGER,
      otherRoots: path(2),
      siblings: path(256),
      leaf: { keyHash: hash(), count: Number.MAX_SAFE_INTEGER, head: hash() }
    },
    pages: [{ prevHead: hash(), ids: path(4096) }]
  }

  test('that is as long as it can be is within its bound, and read', () => {
    const bytes = Proof.encode({ history: whole }) as Frame
    expect(bytes.byteLength).toBeLessThanOrEqual(maxProofBytes({ history }, 1024))
    expect(maxProofBytes({ history }, 1024)).toBeLessThan(bytes.byteLength + 2048)
    expect(readProof(bytes, { history }, 'peer')).toEqual({ history: whole })
    expect(codeOf(() => readProof(bytes, asked, 'peer'))).toBe('BAD_FRAME')
  })

  test('has hashes of their length', () => {
    const short = { ...whole, pages: [{ prevHead: hash(), ids: [hash().slice(1)] }] }
    expect(codeOf(() => readProof(Proof.encode({ history: short }) as Frame, { history }, 'peer'))).toBe('BAD_FRAME')
    const leaf = { ...whole.state.leaf, head: new Uint8Array(31) }
    const state = { ...whole, state: { ...whole.state, leaf } }
    expect(codeOf(() => readProof(Proof.encode({ history: state }) as Frame, { history }, 'peer'))).toBe('BAD_FRAME')
  })

  test('is asked for by a key of some length and heights that are some', () => {
    const code = (change: object): string => codeOf(() => assertProofRequest({ history: { ...history, ...change } }))
    expect(code({})).toBe('none')
    expect(code({ key: new Uint8Array(545) })).toBe('none')
    expect(code({ key: new Uint8Array(546) })).toBe('BAD_REQUEST')
    expect(code({ anchorHeight: -1 })).toBe('BAD_FRAME')
    expect(code({ beforeCount: 2 ** 53 })).toBe('BAD_FRAME')
    // The longest request has room in a small one.
    const longest = { ...history, key: new Uint8Array(545), beforeHead: hash(), beforeCount: 2 ** 53 - 1 }
    expect(GetProof.encode({ history: longest }).byteLength).toBeLessThan(MAX_SMALL_REQUEST_BYTES)
  })
})

test('a request asks for exactly one thing', () => {
  const event = { eventId: hash(), anchorHeight: 0 }
  expect(codeOf(() => assertProofRequest({ event }))).toBe('none')
  expect(codeOf(() => assertProofRequest(asked))).toBe('none')
  expect(codeOf(() => assertProofRequest({}))).toBe('BAD_REQUEST')
  expect(codeOf(() => assertProofRequest({ event, ...asked }))).toBe('BAD_REQUEST')
  expect(codeOf(() => assertProofRequest({ event: { ...event, eventId: new Uint8Array(31) } }))).toBe('BAD_REQUEST')
  expect(codeOf(() => assertProofRequest({ event: { ...event, anchorHeight: -1 } }))).toBe('BAD_FRAME')
  expect(codeOf(() => assertProofRequest({ header: { height: 2 ** 53, anchorHeight: 1 } }))).toBe('BAD_FRAME')
})
