/** Protocol §6 as it is written: the trie's root from all entries, recursively. The oracle of the incremental one. */
import { concatBytes, u64be } from '../../../src/codec/bytes.ts'
import { sha256 } from '../../../src/crypto/sha256.ts'

export interface NaiveEntry {
  readonly keyHash: Uint8Array
  readonly count: number
  readonly head: Uint8Array
}

/** @param entries of distinct keys that share their first `depth` bits */
export function naiveTrieRoot(entries: readonly NaiveEntry[], depth = 0): Uint8Array {
  const [first] = entries
  if (first === undefined) return new Uint8Array(32)
  if (entries.length === 1) return sha256(concatBytes(Uint8Array.of(0), first.keyHash, u64be(first.count), first.head))
  const isRight = ({ keyHash }: NaiveEntry): boolean => ((keyHash[depth >> 3] as number) & (0x80 >> (depth & 7))) !== 0
  const left = naiveTrieRoot(
    entries.filter((entry) => !isRight(entry)),
    depth + 1
  )
  const right = naiveTrieRoot(entries.filter(isRight), depth + 1)
  return sha256(concatBytes(Uint8Array.of(1), left, right))
}
