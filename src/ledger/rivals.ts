import type { CheckedBlock } from '../chain/check-block.ts'
import type { CheckedHeader } from '../chain/check-header.ts'
import type { Failure } from '../chain/failures.ts'
import { equalBytes } from '../codec/bytes.ts'
import { Commit } from '../codec/generated/chain.ts'
import { joinFinalized, splitFinalized } from '../codec/raw.ts'
import { corrupt } from '../store/errors.ts'
import type { EvidenceRecord } from '../store/evidence-store.ts'
import { type Certified, conflictRecord } from './conflict.ts'
import type { ChainHead } from './head.ts'
import type { Stores } from './stores.ts'

export interface RivalsParts {
  readonly head: ChainHead
  readonly stores: Stores
  /** Must throw. */
  readonly onConflict: (record: EvidenceRecord) => Promise<never>
}

/** What is certified and contradicts the chain that is here: proof that finality is broken, and no peer's fault. */
export class Rivals {
  readonly #parts: RivalsParts

  constructor(parts: RivalsParts) {
    this.#parts = parts
  }

  /** Of a certified header of a height up to the next: whether it is of another chain. */
  async header({ height, hash, header, commit, bytes }: CheckedHeader): Promise<void> {
    const { tip } = this.#parts.head
    const theirs: Certified = { commit, parentHash: header.parentHash, bytes }
    if (height === tip.height + 1 && tip.height > 0 && !equalBytes(header.parentHash, tip.hash)) {
      await this.#conflict(tip.height, theirs)
    }
    if (height > 0 && height <= tip.height && !equalBytes(await this.#hashAt(height), hash)) {
      await this.#conflict(height, theirs)
    }
  }

  /** A block at a final height: the one that is stored, or proof that finality is broken. */
  async final(block: CheckedBlock): Promise<Failure | undefined> {
    if (equalBytes(await this.#hashAt(block.height), block.hash)) return undefined
    // Without a commit that verifies it is only a bad block.
    if (block.deferred !== undefined) return block.deferred
    return this.#conflict(block.height, certified(block))
  }

  /**
   * The next block, on another parent. If it is certified, no peer is at fault: whoever signed it has decided another
   * block at our tip's height. (Block 0 nobody signed: of that there is nothing to hold against ours.)
   */
  async forked(block: CheckedBlock): Promise<void> {
    const { height } = this.#parts.head.tip
    if (block.deferred === undefined && height > 0) await this.#conflict(height, certified(block))
  }

  async #hashAt(height: number): Promise<Uint8Array> {
    const { mmr, database } = this.#parts.stores
    const hash = await mmr.blockHash(height)
    if (hash === undefined) throw corrupt(database.path, `the MMR's leaf ${height} is missing`)
    return hash
  }

  async #conflict(height: number, theirs: Certified): Promise<never> {
    const { head, stores, onConflict } = this.#parts
    // Of history that is not held the first block that is vouches for it: it was proven under that one's root.
    const held = Math.max(height, await stores.meta.earliest())
    const ours = await stores.blocks.get(held)
    if (ours === undefined) throw corrupt(stores.database.path, `block ${held} is missing`)
    const kept = { commit: Commit.decode(splitFinalized(ours).commit), bytes: ours }
    return onConflict(conflictRecord(head.genesis, kept, theirs))
  }
}

function certified({ height, header, commit, blockBytes, commitBytes }: CheckedBlock): Certified {
  if (commit === undefined) throw new TypeError(`block ${height} has no commit: it proves nothing`)
  return { commit, parentHash: header.parentHash, bytes: joinFinalized(blockBytes, commitBytes) }
}
