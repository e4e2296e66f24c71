import { timeText } from '../time-text.ts'
import type { Doubt } from './doubt.ts'

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
    }
  /** This key has signed below `lowest`, or may have: the chain has to get there without it. */
  | {
      readonly reason: 'signed-above'
      readonly lowest: number
      readonly doubt: Doubt | undefined
      /** Nobody else makes blocks. */
      readonly alone: boolean
    }
  /** It signs nothing until somebody did what the message says. */
  | { readonly reason: 'stopped'; readonly code: Doubt['code']; readonly message: string }
  /** The signer takes no more until it is opened again. */
  | { readonly reason: 'broken'; readonly message: string }

/** What follows "this validator". */
export function describeAbstention(abstention: Abstention): string {
  switch (abstention.reason) {
    case 'genesis-time':
      return `signs nothing before the genesis's time, ${timeText(abstention.until)}`
    case 'window':
      return 'signs nothing until it holds the blocks of the last two event windows'
    case 'listening': {
      const { heard, needed, doubt } = abstention
      const waits = `signs nothing until it has heard from ${needed} other validators, of which ${heard} have answered`
      return doubt === undefined ? waits : `${waits}: ${doubt.message}`
    }
    case 'signed-above': {
      const { lowest, doubt, alone } = abstention
      const why = doubt === undefined ? 'its key has signed up to there' : doubt.message
      const waits = `signs nothing below height ${lowest}: ${why}`
      return alone
        ? `${waits}; nobody else makes blocks: put data/chain back as it was, or get the blocks from a node that has them`
        : `${waits}; once the others have passed that height it signs by itself`
    }
    case 'stopped':
      return `signs nothing: ${abstention.message}`
    case 'broken':
      return `signs nothing more until it is restarted: ${abstention.message}`
  }
}
