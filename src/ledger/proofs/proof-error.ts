import { MolochError } from '../../error.ts'

/** Why there is no such proof here; they travel to peers as they are. */
export type ProofErrorCode =
  /** No finalized event of that id. */
  | 'UNKNOWN_EVENT'
  /** The anchor does not cover what is to be proved, or its snapshot is not kept. */
  | 'ANCHOR_TOO_OLD'
  /** Above the tip, or below what this node holds. */
  | 'UNAVAILABLE'
  /** There is more to read than one request may: `details.retryAfterMs` says when it goes on. */
  | 'RATE_LIMITED'
  | 'BAD_REQUEST'

export function proofError(
  code: ProofErrorCode,
  message: string,
  details: Record<string, unknown> = {}
): MolochError<ProofErrorCode> {
  return new MolochError(code, message, details)
}

/**
 * @param what is not held, up to "… is in" or "… is"
 * @param earliest from this height up every block is held
 */
export function notHeld(what: string, earliest: number): MolochError<ProofErrorCode> {
  return proofError('UNAVAILABLE', `${what} history not held here; this node holds blocks from ${earliest} up`)
}
