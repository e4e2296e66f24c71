/**
 * What the check of a proof finds. The steps are in the order of the checks; each fault has a code that names the step
 * it was found in (docs/proofs.md has the table).
 */

/** Every code, with the step that it names. */
const STEP_OF_CODE = {
  /** A part is missing, too long, or not in its one canonical form. */
  PROOF_MALFORMED: 'form',
  /** A proof of something else than was asked for. */
  PROOF_WRONG_KIND: 'form',
  /** A file that says itself that it is of another chain. */
  PROOF_WRONG_CHAIN: 'chain',
  /** Made for another anchor than the trusted one, or with a header that is not the trusted one. */
  PROOF_WRONG_ANCHOR: 'anchor',
  /** Not the event that was asked for. */
  PROOF_WRONG_EVENT: 'event',
  /** No validator would take the event: too large, a field out of bounds, an actor or time that is not allowed. */
  PROOF_EVENT_BOUNDS: 'bounds',
  /** The event is not signed by its actor, for this chain. */
  PROOF_EVENT_SIGNATURE: 'signature',
  /** The index or count does not fit the header's event_count. */
  PROOF_EVENT_INDEX: 'event_index',
  /** The path does not lead from the event to events_root. */
  PROOF_EVENT_PATH: 'event_path',
  /** Not the header that was asked for. */
  PROOF_WRONG_HEADER: 'header',
  /** The header is none of this chain's: its version or its validators. */
  PROOF_HEADER: 'header',
  /** The proof says that its header is the trusted one, and it is not. */
  PROOF_BLOCK_HASH: 'block_hash',
  /** The path does not lead from the block hash to the anchor's mmr_root. */
  PROOF_MMR_PATH: 'mmr_path',
  /** The path does not lead from the one root to the other. */
  PROOF_CONSISTENCY_PATH: 'consistency_path',
  /** Not of the key that was asked for. */
  PROOF_WRONG_KEY: 'key',
  /** The path does not lead from the key, or from where it would be, to the anchor's state_root. */
  PROOF_KEY_PATH: 'key_path',
  /** More or fewer pages or ids than the key's count says. */
  PROOF_HISTORY_LENGTH: 'history_length',
  /** The ids of a page do not fold to the head that is known. */
  PROOF_HISTORY_PAGE: 'history_page'
} as const

export type ProofCode = keyof typeof STEP_OF_CODE
export type ProofStep = (typeof STEP_OF_CODE)[ProofCode]

export const PROOF_CODES = Object.keys(STEP_OF_CODE) as readonly ProofCode[]

export function stepOf(code: ProofCode): ProofStep {
  return STEP_OF_CODE[code]
}

/** A step that held; `detail` is one line for people that says what was compared. */
export interface CheckedStep {
  readonly step: ProofStep
  readonly detail: string
}

export interface ProofFailure {
  readonly ok: false
  readonly code: ProofCode
  readonly step: ProofStep
  /** One line. */
  readonly message: string
  /** What held before. */
  readonly steps: readonly CheckedStep[]
}

/** The steps of one check as they are made. */
export class Checks {
  readonly passed: CheckedStep[] = []

  pass(step: ProofStep, detail: string): void {
    this.passed.push({ step, detail })
  }

  fail(code: ProofCode, message: string): ProofFailure {
    return { ok: false, code, step: stepOf(code), message, steps: this.passed }
  }
}
