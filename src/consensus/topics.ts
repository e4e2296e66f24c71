/** Consensus' gossip topics: how their messages are checked, and who takes them. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { checkFinalMessage, checkNewBlockMessage, checkVoteMessage, type FinalContext } from '../chain/gossip-checks.ts'
import type { HeaderIntake } from './header-intake.ts'
import type { Intake } from './intake.ts'
import { type GossipPort, type LedgerPort, retryCrashed, type VerifierPort } from './ports.ts'
import { NEWS_HEIGHTS } from './told.ts'

export interface TopicReaders {
  readonly intake: Intake
  readonly headers: HeaderIntake
  readonly checking: FinalContext
}

/** @returns what ends each subscription */
export function followTopics(
  gossip: GossipPort,
  { genesis }: LedgerPort,
  { intake, headers, checking }: TopicReaders
): (() => void)[] {
  return [
    gossip.subscribe('vote', {
      check: (payload) => checkVoteMessage(genesis, payload),
      take: (vote) => intake.takeVote(vote)
    }),
    gossip.subscribe('block', {
      check: (payload) => checkNewBlockMessage(genesis, payload, nextTurn),
      take: (proposal) => intake.takeBlock(proposal)
    }),
    gossip.subscribe('finalized', {
      check: (payload) => checkFinalMessage(genesis, payload, checking),
      take: (message, from) => intake.takeFinal(message, from)
    }),
    gossip.subscribe('header', headers.rules)
  ]
}

/**
 * How final blocks are checked: in a thread, and of those that were checked as proposals or applied lately only their commits.
 * @param proposed a block that was found valid as a proposal
 */
export function finalContext(
  ledger: LedgerPort,
  verifier: VerifierPort,
  proposed: NonNullable<FinalContext['proposed']>
): FinalContext {
  return {
    verify: (payload) => retryCrashed(() => verifier.checkCertified(payload)),
    proposed,
    async held(height) {
      const { tip } = ledger
      // Copies come of those that are news.
      if (height > tip.height || height <= tip.height - NEWS_HEIGHTS) return undefined
      const block = await ledger.blockAt(height)
      // Without a commit it is history of which only the hash was looked at, not the seal.
      return block === undefined || block.commitBytes.byteLength === 0 ? undefined : block.blockBytes
    }
  }
}
