import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isUtf8 } from '../../src/codec/utf8.ts'
import { runs } from '../support/runs.ts'

function oracle(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return true
  } catch {
    return false
  }
}

test('every two bytes', () => {
  for (let a = 0; a < 256; a++) {
    for (let b = 0; b < 256; b++) {
      const bytes = Uint8Array.of(a, b)
      if (isUtf8(bytes, 0, 2) !== oracle(bytes)) throw new Error(`${a} ${b}`)
    }
  }
})

test('three and four bytes that begin with a lead byte', () => {
  const edges = [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff]
  for (let lead = 0xe0; lead < 256; lead++) {
    for (const a of edges) {
      for (const b of edges) {
        for (const c of edges) {
          for (const bytes of [Uint8Array.of(lead, a, b), Uint8Array.of(lead, a, b, c)]) {
            if (isUtf8(bytes, 0, bytes.length) !== oracle(bytes)) throw new Error([...bytes].join(' '))
          }
        }
      }
    }
  }
})

test('any text and any bytes, at any place', () => {
  const text = fc.string({ unit: 'binary' }).map((s) => new TextEncoder().encode(s))
  fc.assert(
    fc.property(fc.oneof(text, fc.uint8Array({ maxLength: 12 })), fc.nat(3), (bytes, before) => {
      const padded = new Uint8Array([...new Uint8Array(before).fill(0x80), ...bytes, 0x80])
      expect(isUtf8(padded, before, before + bytes.length)).toBe(oracle(bytes))
    }),
    runs(500)
  )
})
