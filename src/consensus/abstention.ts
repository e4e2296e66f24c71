import { timeText } from '../time-text.ts'
import { type Doubt, remedy } from './doubt.ts'

/** Why a validator signs nothing at a height, for now. A union to be added to: each reason has its words here. Pure. */
export type Abstention =
  /** Its clock says that the chain has not begun. `until` in Unix ms. */
  | { readonly reason: 'genesis-time'; readonly until: number }
  /** It lacks blocks of the last two event windows (protocol §3). */
  | { readonly reason: 'window' }
  /** It has just started, and has not heard yet where the others are and what they have of this key. */
  | {
      readonly reason: 'listening'
      /** Other validators. */
      readonly heard: number
      readonly needed: number
      readonly doubt: Doubt | undefined
      /** Its key has signed nothing here, and nobody has said that it has nowhere else. */
      readonly isNew: boolean
    }
  /** This key has signed below `lowest`, or may have: the chain has to get there without it. */
  | {
      readonly reason: 'signed-above'
      readonly lowest: number
      readonly doubt: Doubt | undefined
      /** All that it signed lies below. False: nobody knows, and somebody may settle it. */
      readonly isKnown: boolean
      /** Nobody else makes blocks. */
      readonly alone: boolean
    }
  /** It signs nothing until somebody did what the message says. */
  | { readonly reason: 'stopped'; readonly code: Doubt['code']; readonly message: string }
  /** The signer takes no more until it is opened again. */
  | { readonly reason: 'broken'; readonly message: string }

const ALONE =
  'nobody else makes blocks: put the newest data/chain back, or get the blocks from a node that has them; ' +
  'if nobody has them any more: moloch signer reset --above HEIGHT --force, with the height of the chain here'

/** What lies at the height that the others wait at is in the log that was lost, and nowhere else. */
const PUT_BACK = 'put the newest data/signer back'

/** For programs. */
export function abstentionCode(abstention: Abstention): string {
  switch (abstention.reason) {
    case 'genesis-time':
      return 'GENESIS_TIME'
    case 'window':
      return 'WINDOW_MISSING'
    case 'listening':
      return abstention.doubt?.code ?? 'SIGNER_LISTENING'
    case 'signed-above':
      return abstention.doubt?.code ?? 'SIGNER_AHEAD'
    case 'stopped':
      return abstention.code
    case 'broken':
      return 'SIGNER_BROKEN'
  }
}

/** What follows "this validator". */
export function describeAbstention(abstention: Abstention): string {
  switch (abstention.reason) {
    case 'genesis-time':
      return `signs nothing before the genesis's time, ${timeText(abstention.until)}`
    case 'window':
      return 'signs nothing until it holds the blocks of the last two event windows'
    case 'listening': {
      const { heard, needed, doubt, isNew } = abstention
      // A quorum of one hears nobody: it looks through its own chain.
      const waits =
        needed === 0
          ? 'signs nothing before it has looked through its chain'
          : `signs nothing until it has heard from ${needed} other validators, of which ${heard} have answered`
      // Certain of all that was signed, it takes other peers' answers as well, after a while.
      const cut = 'add more of them as peers (moloch peers add, p2p.bootstrap); if this node cannot connect to them'
      if (doubt !== undefined) return `${waits}: ${doubt.message}; ${cut}: ${remedy(doubt.code)}`
      return isNew && needed > 0 ? `${waits}: its key is new here; ${cut}: ${remedy('SIGNER_MISSING')}` : waits
    }
    case 'signed-above': {
      const { lowest, doubt, isKnown, alone } = abstention
      const why = doubt === undefined ? 'its key has signed up to there' : doubt.message
      const waits = `signs nothing below height ${lowest}: ${why}`
      const byItself = 'once the others are there it signs by itself'
      const told = doubt === undefined ? '' : `; if they need it for that: ${isKnown ? PUT_BACK : remedy(doubt.code)}`
      return `${waits}; ${alone ? ALONE : `${byItself}${told}`}`
    }
    case 'stopped':
      return `signs nothing: ${abstention.message}`
    case 'broken':
      return `signs nothing more until it is restarted: ${abstention.message}`
  }
}
