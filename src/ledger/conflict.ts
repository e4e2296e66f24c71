import type { CheckedBlock } from '../chain/check-block.ts'
import type { CheckedHeader } from '../chain/check-header.ts'
import type { Genesis } from '../chain/genesis.ts'
import { toHex } from '../codec/bytes.ts'
import { Commit } from '../codec/generated/chain.ts'
import { joinFinalized, splitFinalized } from '../codec/raw.ts'
import { MolochError } from '../error.ts'
import type { EvidenceRecord } from '../store/evidence-store.ts'

/** Two certified blocks at one height: the assumption that safety rests on does not hold (protocol §7). */
export interface Conflict {
  readonly height: number
  /** Names of the validators that signed both; more than a third of all. */
  readonly validators: readonly string[]
  readonly description: string
}

/** A block or a header that a commit of this chain's validators vouches for. */
export interface Certified extends Pick<CheckedHeader, 'height' | 'hash' | 'header'> {
  readonly commit: Commit | undefined
  /** The FinalizedBlock or TrustedHeader. */
  readonly bytes: Uint8Array
}

export function certified(block: CheckedBlock): Certified {
  const { height, hash, header, commit } = block
  return { height, hash, header, commit, bytes: joinFinalized(block.blockBytes, block.commitBytes) }
}

export const CONFLICT = 'conflict'

/**
 * What proves that the validators signed both: our FinalizedBlock and what was seen. `theirs` is at the height of `ours`, or one above
 * it on another parent: whoever certified that vouches for another block at our height.
 */
export function conflictRecord(genesis: Genesis, ours: Uint8Array, theirs: Certified): EvidenceRecord {
  const ourCommit = Commit.decode(splitFinalized(ours).commit)
  const { height } = ourCommit
  const signers = new Set(ourCommit.signatures.map(({ validator }) => toHex(validator)))
  const both = (theirs.commit?.signatures ?? []).map((s) => s.validator).filter((key) => signers.has(toHex(key)))
  const names = both.map((key) => genesis.validators.names[genesis.validators.indexOf(key)])
  const kept = `${toHex(ourCommit.blockHash)} (kept)`
  const what =
    theirs.height === height
      ? `two blocks are certified at height ${height}: ${kept} and ${toHex(theirs.hash)}`
      : `two blocks stand certified at height ${height}: ${kept} and ${toHex(theirs.header.parentHash)}, ` +
        `on which block ${theirs.height} ${toHex(theirs.hash)} is certified`
  return {
    kind: CONFLICT,
    height,
    seenAt: Date.now(),
    validators: both,
    description: `${what}; both are signed by ${names.join(', ')}`,
    parts: [ours, theirs.bytes]
  }
}

export function conflictOf(genesis: Genesis, record: EvidenceRecord): Conflict {
  const names = record.validators.map((key) => genesis.validators.names[genesis.validators.indexOf(key)] as string)
  return { height: record.height, validators: names, description: record.description }
}

export function conflictError(conflict: Conflict): MolochError<'CONFLICTING_FINALITY'> {
  const message = `${conflict.description}; this node follows the chain no further`
  return new MolochError('CONFLICTING_FINALITY', message, { height: conflict.height, validators: conflict.validators })
}
