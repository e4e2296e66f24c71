/** Byte strings from integers and text, as every signed layout has them. Integers are big-endian. */

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = 0
  for (const part of parts) length += part.byteLength
  const out = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.byteLength
  }
  return out
}

/** @throws RangeError if `value` is not an integer in 0 … 2³²−1: cut to its low bits it would be another number's */
export function u32be(value: number): Uint8Array<ArrayBuffer> {
  if (value >>> 0 !== value) throw new RangeError(`${value} is not an integer in 0 … 2^32-1`)
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value)
}

/** @throws RangeError if `value` is not an integer in 0 … 2⁵³−1 */
export function u64be(value: number): Uint8Array<ArrayBuffer> {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is not an integer in 0 … 2^53-1`)
  const out = new Uint8Array(8)
  // A float's division is exact here, and a BigInt would be made only to be thrown away.
  out.set(u32be(Math.floor(value / 2 ** 32)))
  out.set(u32be(value % 2 ** 32), 4)
  return out
}

const encoder = new TextEncoder()

export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text)
}
