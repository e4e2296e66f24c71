/** What each write of the signer's log says of the whole of it, so that an older or partial one is not taken for all. */
import { toHex } from '../codec/bytes.ts'
import { sha256 } from '../crypto/sha256.ts'
import type { SignerWrite } from './signer-store.ts'

const utf8 = new TextEncoder()
const text = new TextDecoder()

/** Written with each write of the log: LevelDB drops a record that it cannot read, and says nothing. */
export interface SignerHead {
  /** Of this write; the first is 1. */
  readonly sequence: number
  /** Of all entries after it, hex. */
  readonly digest: string
  /** The digest of the write before; empty for the first. */
  readonly previous: string
}

export const NO_HEAD: SignerHead = { sequence: 0, digest: '', previous: '' }
export const HEAD_KEY = 'head'

/** By key: the hash of the value. So that a digest costs no more than what is written. */
export type ValueHashes = ReadonlyMap<string, Uint8Array>

export function hashesOf(entries: Iterable<readonly [key: string, value: Uint8Array]>): ValueHashes {
  return new Map([...entries].map(([key, value]) => [key, sha256(value)]))
}

export function hashesAfter(before: ValueHashes, writes: readonly SignerWrite[]): ValueHashes {
  const hashes = new Map(before)
  for (const write of writes) {
    if (write.type === 'del') hashes.delete(write.key)
    else hashes.set(write.key, sha256(write.value))
  }
  return hashes
}

/** Keys have no line breaks. */
export function digestOf(hashes: ValueHashes): string {
  const lines = [...hashes].map(([key, hash]) => `${key} ${toHex(hash)}\n`).sort()
  return toHex(sha256(utf8.encode(lines.join(''))))
}

export function writeHead(head: SignerHead): SignerWrite {
  return { type: 'put', key: HEAD_KEY, value: utf8.encode(JSON.stringify(head)) }
}

export function readHead(value: Uint8Array): SignerHead {
  return JSON.parse(text.decode(value)) as SignerHead
}
