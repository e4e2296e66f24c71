/**
 * What a fault of a peer ends in: one table for all floors. Codes are those of errors (types.ts) and of block checks
 * (chain/failures.ts). It is applied to the one peer that sent the bytes; nobody answers for what another one sent.
 */
import type { PeerVerdict } from './types.ts'

export interface Ruling {
  readonly verdict: PeerVerdict
  /** What it adds to the peer's points (penalties.ts); at DISCONNECT_POINTS a peer is disconnected. */
  readonly points: number
  /** How long the peer is neither dialled nor let in. */
  readonly holdMs: number
}

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** A peer that was disconnected may come back after this: long enough to end a loop, short enough for a mistake of ours. */
export const DISCONNECT_HOLD_MS = MINUTE

const IGNORE: Ruling = { verdict: 'ignore', points: 0, holdMs: 0 }
const PENALISE: Ruling = { verdict: 'penalise', points: 1, holdMs: 0 }
const PENALISE_HARD: Ruling = { verdict: 'penalise', points: 4, holdMs: 0 }
const DISCONNECT: Ruling = { verdict: 'disconnect', points: 4, holdMs: DISCONNECT_HOLD_MS }
/** A failing disk may do it to an honest node. */
const BAN_HOUR: Ruling = { verdict: 'ban', points: 20, holdMs: HOUR }
/** Somebody made this on purpose. */
const BAN_DAY: Ruling = { verdict: 'ban', points: 20, holdMs: DAY }

export const RULINGS: Readonly<Record<string, Ruling>> = {
  // Honest peers say these.
  RATE_LIMITED: IGNORE,
  UNAVAILABLE: IGNORE,
  NOT_READY: IGNORE,
  UNKNOWN_EVENT: IGNORE,
  ANCHOR_TOO_OLD: IGNORE,
  ABORTED: IGNORE,
  PEER_UNKNOWN: IGNORE,
  PEER_UNSUPPORTED: IGNORE,
  // Honest peers on bad links do these.
  PEER_CLOSED: IGNORE,
  PEER_TIMEOUT: PENALISE,
  // A height that no commit proves changes nothing, so a lie about it does not either.
  BAD_STATUS: PENALISE_HARD,
  BAD_VOTES: PENALISE_HARD,
  // Gossip that no honest peer sends, and that is not decoded. It costs us the reading of it.
  BAD_RPC: PENALISE_HARD,
  BAD_REQUEST: PENALISE,
  // No honest peer does these, but a peer of a newer version might.
  BAD_FRAME: DISCONNECT,
  FRAME_TOO_LARGE: DISCONNECT,
  TOO_MUCH: DISCONNECT,
  BAD_VERSION: DISCONNECT,
  // Told when to come back, again and again.
  REQUEST_FLOOD: DISCONNECT,
  // These depend on our own chain too: if that is what is wrong, banning all who are right would leave us alone.
  BAD_HEIGHT: DISCONNECT,
  BAD_PARENT: DISCONNECT,
  BAD_MMR_ROOT: DISCONNECT,
  BAD_STATE_ROOT: DISCONNECT,
  BAD_TIMESTAMP: DISCONNECT,
  // A proof that proves nothing, or something else than was asked for: a light client is only held up by it.
  PROOF_WRONG_KIND: DISCONNECT,
  PROOF_WRONG_ANCHOR: DISCONNECT,
  PROOF_WRONG_EVENT: DISCONNECT,
  PROOF_WRONG_HEADER: DISCONNECT,
  PROOF_MALFORMED: BAN_HOUR,
  PROOF_EVENT_BOUNDS: BAN_HOUR,
  PROOF_EVENT_SIGNATURE: BAN_HOUR,
  PROOF_EVENT_INDEX: BAN_HOUR,
  PROOF_EVENT_PATH: BAN_HOUR,
  PROOF_HEADER: BAN_HOUR,
  PROOF_BLOCK_HASH: BAN_HOUR,
  PROOF_MMR_PATH: BAN_HOUR,
  PROOF_CONSISTENCY_PATH: BAN_HOUR,
  PROOF_KEY_PATH: BAN_HOUR,
  PROOF_HISTORY_LENGTH: BAN_HOUR,
  PROOF_HISTORY_PAGE: BAN_HOUR,
  // A snapshot that is not what the checkpoint says: it may be our checkpoint that is wrong.
  CHECKPOINT_ABOVE: DISCONNECT,
  CHECKPOINT_PATH: DISCONNECT,
  BAD_BLOCK_HASH: DISCONNECT,
  // Wrong by itself: what an honest node has verified it never serves.
  TOO_LARGE: BAN_HOUR,
  NON_CANONICAL: BAN_HOUR,
  BAD_VALIDATORS_HASH: BAN_HOUR,
  BAD_EVENT_COUNT: BAN_HOUR,
  BAD_EVENTS_ROOT: BAN_HOUR,
  BAD_PROPOSER: BAN_HOUR,
  BAD_SEAL: BAN_HOUR,
  COMMIT_WRONG_BLOCK: BAN_HOUR,
  COMMIT_BAD_SIGNATURE: BAN_HOUR,
  MANIFEST_TOO_LARGE: BAN_HOUR,
  MANIFEST_NON_CANONICAL: BAN_HOUR,
  MANIFEST_HEIGHT: BAN_HOUR,
  MANIFEST_HEADER: BAN_HOUR,
  MANIFEST_MMR_COUNT: BAN_HOUR,
  MANIFEST_MMR_ROOT: BAN_HOUR,
  MANIFEST_ROOT_AFTER: BAN_HOUR,
  MANIFEST_TOP: BAN_HOUR,
  MANIFEST_CUT: BAN_HOUR,
  MANIFEST_STATE_ROOT: BAN_HOUR,
  CHUNK_SIZE: BAN_HOUR,
  CHUNK_HASHES: BAN_HOUR,
  CHUNK_NON_CANONICAL: BAN_HOUR,
  CHUNK_PREFIX: BAN_HOUR,
  CHUNK_ORDER: BAN_HOUR,
  CHUNK_ENTRIES: BAN_HOUR,
  CHUNK_BLOCK: BAN_HOUR,
  // Well-formed and wrong: no broken disk makes these.
  COMMIT_UNKNOWN_SIGNER: BAN_DAY,
  COMMIT_REPEATED_SIGNER: BAN_DAY,
  COMMIT_WRONG_ORDER: BAN_DAY,
  COMMIT_TOO_FEW: BAN_DAY,
  // Two certified blocks at one height: validators are at fault, not the peer that shows it.
  CONFLICTING_FINALITY: IGNORE
}

/** What is not in the table costs a point. */
export function rulingFor(code: string): Ruling {
  return RULINGS[code] ?? PENALISE
}
