import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toHex, utf8 } from '../../src/codec/bytes.ts'
import * as portable from '../../src/crypto/portable/sha256.ts'
import * as native from '../../src/crypto/sha256.ts'
import { runs } from '../support/runs.ts'

describe.each([
  ['native', native],
  ['portable', portable]
])('%s', (_, { sha256, sha256Into }) => {
  test('FIPS 180-4 examples', () => {
    expect(toHex(sha256(utf8('')))).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
    expect(toHex(sha256(utf8('abc')))).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  })

  test('any input: the same as the streaming hash, and each result keeps', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 300 }), (a, b) => {
        const first = sha256(a)
        const second = sha256(b)
        expect(toHex(first)).toBe(createHash('sha256').update(a).digest('hex'))
        expect(toHex(second)).toBe(createHash('sha256').update(b).digest('hex'))
      }),
      runs(200)
    )
  })

  test('writes into a place given and nowhere else', () => {
    const out = new Uint8Array(40).fill(0xee)
    sha256Into(out, utf8('abc'), 4)
    expect(out.subarray(4, 36)).toEqual(sha256(utf8('abc')))
    expect([...out.subarray(0, 4), ...out.subarray(36)]).toEqual(new Array(8).fill(0xee))
    // Input and output may be one buffer.
    const place = new Uint8Array(32)
    sha256Into(place, place)
    expect(place).toEqual(sha256(new Uint8Array(32)))
  })
})

test('both have the same exports', () => {
  expect(Object.keys(portable).sort()).toEqual(Object.keys(native).sort())
})
