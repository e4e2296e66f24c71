import type { CheckedHeader } from '../chain/check-header.ts'
import type { Failure } from '../chain/failures.ts'
import type { Genesis } from '../chain/genesis.ts'
import type { TrustedTip } from '../chain/header-chain.ts'
import { equalBytes } from '../codec/bytes.ts'
import { type Commit, TrustedHeader } from '../codec/generated/chain.ts'
import { type Conflict, conflictError, conflictOf, conflictRecord } from '../ledger/conflict.ts'
import type { EvidenceStore } from '../store/evidence-store.ts'
import type { HeaderReader } from './reader.ts'

export interface RivalsParts {
  readonly genesis: Genesis
  readonly reader: HeaderReader
  readonly evidence: EvidenceStore
  /** What an earlier run of the node has seen. */
  readonly conflict: Conflict | undefined
  readonly onConflict: (conflict: Conflict) => void
}

/** Finds certified headers that contradict trusted ones, and keeps the proof. */
export class Rivals {
  readonly #parts: RivalsParts
  #conflict: Conflict | undefined

  constructor(parts: RivalsParts) {
    this.#parts = parts
    this.#conflict = parts.conflict
  }

  get conflict(): Conflict | undefined {
    return this.#conflict
  }

  /**
   * A header at a height that is not above the tip's: the one that is held, a bad one, or proof that finality is broken.
   * @throws MolochError CONFLICTING_FINALITY
   */
  async compare(header: CheckedHeader): Promise<Failure | undefined> {
    const ours = await this.#parts.reader.headerAt(header.height)
    // In a gap, or pruned: there is nothing to compare it with.
    if (ours === undefined || equalBytes(ours.hash, header.hash)) return undefined
    // Without a commit that verifies it is only a bad header.
    return header.deferred ?? this.#conflicted(header.height, header)
  }

  /**
   * The next header, on another parent. If it is certified, whoever signed it has decided another block at our tip's
   * height. (Block 0 nobody signed: of that there is nothing to hold against ours.)
   * @throws MolochError CONFLICTING_FINALITY
   */
  async forked({ height, hash }: TrustedTip, header: CheckedHeader): Promise<void> {
    const other = header.height === height + 1 && !equalBytes(header.header.parentHash, hash)
    if (other && header.deferred === undefined && height > 0) await this.#conflicted(height, header)
  }

  async #conflicted(height: number, theirs: CheckedHeader): Promise<never> {
    const { genesis, reader, evidence, onConflict } = this.#parts
    const ours = (await reader.trustedAt(height)) as Uint8Array
    const commit = TrustedHeader.decode(ours).commit as Commit
    const rival = { commit: theirs.commit, parentHash: theirs.header.parentHash, bytes: theirs.bytes }
    const record = conflictRecord(genesis, { commit, bytes: ours }, rival)
    const conflict = conflictOf(genesis, record)
    await evidence.add(record, '', true)
    this.#conflict = conflict
    onConflict(conflict)
    throw conflictError(conflict)
  }
}
