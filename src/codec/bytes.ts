/**
 * Small functions on byte strings. Hex is lowercase; integers are big-endian, as in every signed layout. Those here use
 * Node's Buffer, which is many times faster; bundles for a browser get portable/bytes.ts in this file's place.
 */

export { concatBytes, u32be, u64be, utf8 } from './layout.ts'

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}

/** The bytes of a hex string, or undefined if it is not exactly `length` bytes of hex. */
export function fromHex(hex: string, length = hex.length / 2): Uint8Array | undefined {
  if (hex.length !== length * 2 || hex.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(hex)) return undefined
  return new Uint8Array(Buffer.from(hex, 'hex'))
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && Buffer.compare(a, b) === 0
}

export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b)
}
