import { timeText } from '../time-text.ts'

/** Why a validator signs nothing at a height, for now. A union to be added to: each reason has its words here. Pure. */
export type Abstention =
  /** Its clock says that the chain has not begun. `until` in Unix ms. */
  | { readonly reason: 'genesis-time'; readonly until: number }
  /** It lacks blocks of the last two event windows (protocol §3). */
  | { readonly reason: 'window' }
  /** The chain was put back, or is synced anew: what was signed above it is not signed again. */
  | { readonly reason: 'signed-above'; readonly signed: number }
  /** The signer takes no more until it is opened again. */
  | { readonly reason: 'broken'; readonly message: string }

/** What follows "this validator". */
export function describeAbstention(abstention: Abstention): string {
  switch (abstention.reason) {
    case 'genesis-time':
      return `signs nothing before the genesis's time, ${timeText(abstention.until)}`
    case 'window':
      return 'signs nothing until it holds the blocks of the last two event windows'
    case 'signed-above':
      return `signs nothing until the chain is at height ${abstention.signed}, where it has signed before`
    case 'broken':
      return `signs nothing more until it is restarted: ${abstention.message}`
  }
}
