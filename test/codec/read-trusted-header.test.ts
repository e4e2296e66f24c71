import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { assertCanonical } from '../../src/codec/canonical.ts'
import { TrustedHeader } from '../../src/codec/generated/chain.ts'
import { readTrustedHeader } from '../../src/codec/read-trusted-header.ts'
import { TRUSTED_HEADER } from '../../src/codec/rules.ts'
import { runs } from '../support/runs.ts'

const bytes = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((array) => new Uint8Array(array))
const u32 = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 2 ** 32 - 1 }))
const u64 = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 300 }), fc.maxSafeNat())

const header = fc.record({
  version: u32,
  height: u64,
  parentHash: bytes(32),
  eventsRoot: bytes(32),
  eventCount: u32,
  mmrRoot: bytes(32),
  stateRoot: bytes(32),
  validatorsHash: bytes(32),
  nextValidatorsHash: bytes(32),
  timestamp: u64,
  proposer: bytes(32)
})
const commit = fc.record({
  height: u64,
  round: u32,
  blockHash: bytes(32),
  signatures: fc.array(fc.record({ validator: bytes(32), signature: bytes(64) }), { maxLength: 6 })
})
const trusted = fc.record({ header, seal: bytes(64), commit, mmrRoot: bytes(32) })

describe('readTrustedHeader', () => {
  it('is the decoder on canonical bytes, wherever they are in their buffer', () => {
    fc.assert(
      fc.property(trusted, fc.nat({ max: 9 }), (message, before) => {
        const encoded = TrustedHeader.encode(message)
        const buffer = new Uint8Array(before + encoded.byteLength + 3).fill(0xff)
        buffer.set(encoded, before)
        const view = buffer.subarray(before, before + encoded.byteLength)
        assertCanonical(TRUSTED_HEADER, view)
        const read = readTrustedHeader(view)
        expect(read).toEqual(TrustedHeader.decode(encoded))
        expect(read.header.proposer.buffer).toBe(buffer.buffer)
      }),
      runs(300)
    )
  })
})
