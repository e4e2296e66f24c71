import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as native from '../../src/codec/bytes.ts'
import * as portable from '../../src/codec/portable/bytes.ts'
import { runs } from '../support/runs.ts'

const bytes = fc.uint8Array({ maxLength: 40 })

describe.each([
  ['native', native],
  ['portable', portable]
])('%s bytes', (_, { compareBytes, equalBytes, fromHex, toHex }) => {
  test('hex', () => {
    expect(toHex(Uint8Array.of(0, 10, 255))).toBe('000aff')
    expect(toHex(Uint8Array.of(1, 2, 3).subarray(1))).toBe('0203')
    expect(fromHex('000aFF')).toEqual(Uint8Array.of(0, 10, 255))
    expect(fromHex('')).toEqual(new Uint8Array(0))
    expect(fromHex('00', 1)).toEqual(Uint8Array.of(0))
    for (const bad of ['0', '000', '0g', 'é0', '+1', ' 1', '0x01']) expect(fromHex(bad), bad).toBeUndefined()
    expect(fromHex('0000', 1)).toBeUndefined()
    expect(fromHex('', 1)).toBeUndefined()
  })

  test('order and equality', () => {
    const order = [[], [0], [0, 0], [0, 1], [1], [127], [128], [128, 0], [255]].map((list) => Uint8Array.from(list))
    for (const [i, a] of order.entries()) {
      for (const [j, b] of order.entries()) {
        expect(compareBytes(a, b)).toBe(Math.sign(i - j))
        expect(equalBytes(a, b)).toBe(i === j)
      }
    }
  })
})

test('both say the same, and have the same exports', () => {
  expect(Object.keys(portable).sort()).toEqual(Object.keys(native).sort())
  fc.assert(
    fc.property(bytes, bytes, fc.string({ maxLength: 8 }), (a, b, text) => {
      expect(portable.toHex(a)).toBe(native.toHex(a))
      expect(portable.fromHex(native.toHex(a))).toEqual(a)
      expect(portable.fromHex(text)).toEqual(native.fromHex(text))
      expect(portable.compareBytes(a, b)).toBe(native.compareBytes(a, b))
      expect(portable.equalBytes(a, a.slice())).toBe(true)
    }),
    runs(200)
  )
})
