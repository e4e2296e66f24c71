/**
 * Whether the signer's log and its mark say what this key has signed, all of it. They lie in different folders, and each
 * write of the log is counted in both, so that a copy of one of them from another time does not agree with the other. Pure.
 *
 *                      no mark          mark that signed nothing   mark of the log's last write      mark of another time
 *     no log           SIGNER_MISSING   sound: a new validator     behind: nothing up to the mark    behind
 *     log              MARK_MISSING     MARK_BEHIND                sound                             behind, or MARK_BEHIND
 *
 * Where the mark is newer it says up to which height nothing may be signed any more. In all other cases that is not known:
 * the others have to be heard, and the chain has to pass what may have been signed (see Seat).
 */
import type { SignerHead } from './signer-head.ts'
import type { MarkState } from './signer-mark.ts'

export type DoubtCode =
  /** Neither log nor mark; or a key that has signed nothing here, on a chain that is under way. */
  | 'SIGNER_MISSING'
  /** The log lacks what was signed last: it is an older copy, or the disk lost it, or it is gone. */
  | 'SIGNER_BEHIND'
  | 'SIGNER_MARK_MISSING'
  | 'SIGNER_MARK_DAMAGED'
  /** The log has more than the mark: the mark is an older copy. */
  | 'SIGNER_MARK_BEHIND'
  /** The mark is in another file than the one it was written to: the home was copied, or put back from a backup. */
  | 'SIGNER_COPIED'
  /** Somebody else signs with this key. */
  | 'SIGNER_DUPLICATE'

export interface Doubt {
  readonly code: DoubtCode
  /** One line for people: what was found. */
  readonly message: string
}

export type LogState =
  /** No folder, or nothing in it that was signed. */
  | { readonly kind: 'empty' }
  /** Of format 1, from before there was a mark. */
  | { readonly kind: 'uncounted' }
  | { readonly kind: 'counted'; readonly head: SignerHead }

export type Assessment =
  | { readonly kind: 'sound' }
  /** Nothing is to be signed up to the mark's height; above it all is known. */
  | { readonly kind: 'behind'; readonly doubt: Doubt }
  | { readonly kind: 'doubt'; readonly doubt: Doubt }

const SOUND: Assessment = { kind: 'sound' }

/** @param paths for what is said */
export function assess(log: LogState, state: MarkState, paths: { log: string; mark: string }): Assessment {
  const doubt = (code: DoubtCode, message: string): Assessment => ({ kind: 'doubt', doubt: { code, message } })
  if (state.kind === 'missing') {
    if (log.kind === 'uncounted') return SOUND
    if (log.kind === 'empty') {
      return doubt(
        'SIGNER_MISSING',
        `there is neither a log ${paths.log} nor a mark ${paths.mark} of what this key has signed`
      )
    }
    return doubt('SIGNER_MARK_MISSING', `the mark ${paths.mark} of what this key has signed is missing`)
  }
  if (state.kind === 'damaged') {
    return doubt(
      'SIGNER_MARK_DAMAGED',
      `the mark ${paths.mark} of what this key has signed is damaged: ${state.reason}`
    )
  }
  const { mark } = state
  if (mark.doubt !== undefined) return { kind: 'doubt', doubt: mark.doubt }
  if (state.copied) {
    return doubt('SIGNER_COPIED', `the mark ${paths.mark} is a copy: this home was moved, or put back from a backup`)
  }
  const next = log.kind === 'counted' && log.head.sequence === mark.sequence + 1 && log.head.previous === mark.digest
  // Only a write that was cut off leaves half a mark, and that comes after the log's.
  if (state.torn && !next) {
    return doubt(
      'SIGNER_MARK_DAMAGED',
      `the mark ${paths.mark} of what this key has signed is damaged: half of it is unreadable`
    )
  }
  if (next) return SOUND
  if (log.kind === 'empty') {
    if (mark.sequence === 0) return SOUND
    return { kind: 'behind', doubt: { code: 'SIGNER_BEHIND', message: `the signer's log ${paths.log} is missing` } }
  }
  if (log.kind === 'counted' && log.head.sequence === mark.sequence && log.head.digest === mark.digest) return SOUND
  if (log.kind === 'counted' && log.head.sequence === mark.sequence) {
    return doubt(
      'SIGNER_BEHIND',
      `the signer's log ${paths.log} is of another time or machine than the mark ${paths.mark}`
    )
  }
  if (mark.sequence === 0 || (log.kind === 'counted' && log.head.sequence > mark.sequence)) {
    return doubt(
      'SIGNER_MARK_BEHIND',
      `the mark ${paths.mark} is older than the signer's log: it was put back from a backup`
    )
  }
  const message = `the signer's log ${paths.log} lacks what the mark ${paths.mark} says was signed last: an older copy, or a failing disk`
  return { kind: 'behind', doubt: { code: 'SIGNER_BEHIND', message } }
}

const PUT_BACK =
  'put the newest data/signer and keys/validator.mark back, both, then: moloch signer adopt; ' +
  'or, if it is known up to which height this key has signed: moloch signer reset --above HEIGHT'

/** What somebody can do who runs the validator. */
export function remedy(code: DoubtCode): string {
  switch (code) {
    case 'SIGNER_MISSING':
      return `if this key has never signed anything, here or elsewhere: moloch signer adopt --new-key; else ${PUT_BACK}`
    case 'SIGNER_BEHIND':
      return PUT_BACK
    case 'SIGNER_MARK_MISSING':
    case 'SIGNER_MARK_DAMAGED':
    case 'SIGNER_MARK_BEHIND':
    case 'SIGNER_COPIED':
      return 'if this is the newest copy of the home, and no other one runs: moloch signer adopt'
    case 'SIGNER_DUPLICATE':
      return (
        'stop the other process, then start this one again; if the others need it to go on: ' +
        "put that one's data/signer and keys/validator.mark here, then: moloch signer adopt"
      )
  }
}
