import { describe, expect, test } from 'vitest'
import { genesisHeader } from '../../../src/chain/header.ts'
import { concatBytes } from '../../../src/codec/bytes.ts'
import { Proof } from '../../../src/codec/generated/sync.ts'
import type { Frame } from '../../../src/network/streams/frames.ts'
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
