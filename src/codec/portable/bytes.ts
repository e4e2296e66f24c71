/** bytes.ts without Node's Buffer: the `browser` field of package.json puts it in that file's place. */

export { concatBytes, u32be, u64be, utf8 } from '../layout.ts'

export function toHex(bytes: Uint8Array): string {
  let hex = ''
  for (const byte of bytes) hex += byte.toString(16).padStart(2, '0')
  return hex
}

/** The bytes of a hex string, or undefined if it is not exactly `length` bytes of hex. */
export function fromHex(hex: string, length = hex.length / 2): Uint8Array | undefined {
  if (hex.length !== length * 2 || hex.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(hex)) return undefined
  return Uint8Array.from({ length }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16))
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && compareBytes(a, b) === 0
}

/** In the order of bytes, the shorter first where one begins the other: −1, 0 or 1. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const common = Math.min(a.byteLength, b.byteLength)
  for (let i = 0; i < common; i++) {
    const difference = (a[i] as number) - (b[i] as number)
    if (difference !== 0) return Math.sign(difference)
  }
  return Math.sign(a.byteLength - b.byteLength)
}
