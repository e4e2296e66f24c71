import { toString as bytesToText } from 'uint8arrays/to-string'

/** A byte string as a key of a Map: one character a byte. */
export function keyOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

/** The peer id of `keyOf` its multihash, as libp2p writes it. */
export function peerText(key: string): string {
  return bytesToText(Buffer.from(key, 'latin1'), 'base58btc')
}
