import type { Genesis } from '../chain/genesis.ts'
import { toHex } from '../codec/bytes.ts'
import type { Commit } from '../codec/generated/chain.ts'
import { MolochError } from '../error.ts'
import type { EvidenceRecord } from '../store/evidence-store.ts'

/** Two certified blocks at one height: the assumption that safety rests on does not hold (protocol §7). */
export interface Conflict {
  readonly height: number
  /** Names of the validators that signed both; more than a third of all. */
  readonly validators: readonly string[]
  readonly description: string
}

export const CONFLICT = 'conflict'

/** One of the two: a block or a header alone, with its certificate. */
export interface Certified {
  readonly commit: Commit
  readonly parentHash: Uint8Array
  /** The encoded FinalizedBlock or TrustedHeader: what proves it. */
  readonly bytes: Uint8Array
}

/**
 * What proves that the validators signed both. `theirs` is at the height of `ours`; or one above it on another parent:
 * whoever certified that vouches for another block at our height; or below it, where the chain of `ours` has another block.
 */
export function conflictRecord(
  genesis: Genesis,
  ours: Pick<Certified, 'commit' | 'bytes'>,
  theirs: Certified
): EvidenceRecord {
  const { height, blockHash } = ours.commit
  const signers = new Set(ours.commit.signatures.map(({ validator }) => toHex(validator)))
  const both = theirs.commit.signatures.map((s) => s.validator).filter((key) => signers.has(toHex(key)))
  const names = both.map((key) => genesis.validators.names[genesis.validators.indexOf(key)])
  const what = rivalry(height, toHex(blockHash), theirs)
  return {
    kind: CONFLICT,
    height: Math.min(height, theirs.commit.height),
    seenAt: Date.now(),
    validators: both,
    description: `${what}; both are signed by ${names.join(', ')}`,
    parts: [ours.bytes, theirs.bytes]
  }
}

function rivalry(height: number, ours: string, { commit, parentHash }: Certified): string {
  const kept = `${ours} (kept)`
  const other = toHex(commit.blockHash)
  if (commit.height === height) return `two blocks are certified at height ${height}: ${kept} and ${other}`
  if (commit.height < height) {
    return `block ${commit.height} ${other} is certified and not in the chain of block ${height} ${kept}, which is as well`
  }
  const child = `block ${commit.height} ${other} is certified`
  return `two blocks stand certified at height ${height}: ${kept} and ${toHex(parentHash)}, on which ${child}`
}

export function conflictOf(genesis: Genesis, record: EvidenceRecord): Conflict {
  const names = record.validators.map((key) => genesis.validators.names[genesis.validators.indexOf(key)] as string)
  return { height: record.height, validators: names, description: record.description }
}

export function conflictError(conflict: Conflict): MolochError<'CONFLICTING_FINALITY'> {
  const message = `${conflict.description}; this node follows the chain no further`
  return new MolochError('CONFLICTING_FINALITY', message, { height: conflict.height, validators: conflict.validators })
}
