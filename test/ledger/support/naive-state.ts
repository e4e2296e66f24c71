import type { CheckedBlock } from '../../../src/chain/check-block.ts'
import { stateRootHash } from '../../../src/chain/domain.ts'
import type { Genesis } from '../../../src/chain/genesis.ts'
import { concatBytes, toHex } from '../../../src/codec/bytes.ts'
import { sha256 } from '../../../src/crypto/sha256.ts'
import { type NaiveEntry, naiveTrieRoot } from '../../chain/support/naive-trie.ts'

/** State roots (hex) over the events of the first 0, 1, … blocks, each from scratch out of the list of all events. */
export function naiveStateRoots(genesis: Genesis, blocks: readonly CheckedBlock[]): string[] {
  return Array.from({ length: blocks.length + 1 }, (_, count) => naiveStateRoot(genesis, blocks.slice(0, count)))
}

function naiveStateRoot(genesis: Genesis, blocks: readonly CheckedBlock[]): string {
  const maps = [0, 1, 2].map(() => new Map<string, NaiveEntry>())
  let total = 0
  for (const { eventIds, keyHashes } of blocks) {
    for (let i = 0; i < eventIds.byteLength / 32; i++, total++) {
      for (const [index, map] of maps.entries()) {
        const keyHash = keyHashes.slice(i * 96 + index * 32, i * 96 + index * 32 + 32)
        const old = map.get(toHex(keyHash)) ?? { keyHash, count: 0, head: new Uint8Array(32) }
        const id = eventIds.subarray(i * 32, i * 32 + 32)
        const head = sha256(concatBytes(Uint8Array.of(2), old.head, id))
        map.set(toHex(keyHash), { keyHash, count: old.count + 1, head })
      }
    }
  }
  const [actors, resources, actions] = maps.map((map) => naiveTrieRoot([...map.values()]))
  return toHex(
    stateRootHash(total, genesis.validators.hash, actors as Uint8Array, resources as Uint8Array, actions as Uint8Array)
  )
}
