/**
 * The checks that every role makes before it forwards a message (protocol §9), without a chain: what they refuse nobody
 * should ever have sent.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { cheapBlockCheck, checkFinalized } from '../chain/check-block.ts'
import { mayAct } from '../chain/check-events.ts'
import { checkHeader } from '../chain/check-header.ts'
import { type CheckedEvent, checkEvent, verifyEventSignature } from '../chain/event.ts'
import type { Genesis } from '../chain/genesis.ts'
import { SIGNATURES_A_TURN, splitGossipEvents } from '../chain/gossip-events.ts'
import type { Header } from '../chain/header.ts'
import { checkVote, decodeVote, isNil, type Vote, VoteType } from '../chain/vote.ts'
import { toHex } from '../codec/bytes.ts'
import type { Commit } from '../codec/generated/chain.ts'
import { MolochError } from '../error.ts'
import type { Topic } from '../network/types.ts'
import type { Decoded, DecodedFinalized } from './decoded.ts'

export type Checked = { readonly ok: true; readonly message: Decoded } | { readonly ok: false; readonly code: string }

/** What the check of events asks of outside. */
export interface EventsContext {
  readonly isKnown: (id: string) => boolean
  /** Unix ms. */
  readonly now: () => number
}

export async function checkMessage(
  genesis: Genesis,
  topic: Topic,
  payload: Uint8Array,
  context: EventsContext
): Promise<Checked> {
  switch (topic) {
    case 'block':
      return checkNewBlock(genesis, payload)
    case 'vote':
      return checkVoteMessage(genesis, payload)
    case 'finalized':
      return checkFinalizedMessage(genesis, payload)
    case 'header':
      return checkHeaderMessage(genesis, payload)
    case 'events':
      return checkEventsMessage(genesis, payload, context)
  }
}

function checkNewBlock(genesis: Genesis, payload: Uint8Array): Checked {
  const checked = cheapBlockCheck(genesis, payload)
  if (!checked.ok) return bad(checked.failure.code)
  const { header, hash, round, validRound } = checked
  // Block 0 is nobody's to propose.
  if (header.height === 0) return bad('NON_CANONICAL')
  return good({ type: 'new-block', ...factsOf(genesis, header, hash), round, validRound })
}

function checkVoteMessage(genesis: Genesis, payload: Uint8Array): Checked {
  let vote: Vote
  try {
    vote = decodeVote(payload)
  } catch {
    return bad('NON_CANONICAL')
  }
  const failure = checkVote(genesis, vote)
  if (failure !== undefined) return bad(failure.code)
  return good({
    type: vote.type === VoteType.PREVOTE ? 'prevote' : 'precommit',
    height: vote.height,
    round: vote.round,
    hash: isNil(vote) ? undefined : toHex(vote.blockHash),
    validator: genesis.validators.indexOf(vote.validator)
  })
}

function checkFinalizedMessage(genesis: Genesis, payload: Uint8Array): Checked {
  const result = checkFinalized(genesis, payload)
  if (!result.ok) return bad(result.failure.code)
  const { header, hash, commit, deferred } = result.block
  if (deferred !== undefined) return bad(deferred.code)
  return good(finalizedOf('finalized', genesis, header, hash, commit as Commit))
}

function checkHeaderMessage(genesis: Genesis, payload: Uint8Array): Checked {
  const result = checkHeader(genesis, payload)
  if (!result.ok) return bad(result.failure.code)
  const { header, hash, commit, deferred } = result.header
  return deferred === undefined ? good(finalizedOf('header', genesis, header, hash, commit)) : bad(deferred.code)
}

/** Events that are known or may not be posted now are passed over, as nodes do: they are no fault of who sent them. */
async function checkEventsMessage(
  genesis: Genesis,
  payload: Uint8Array,
  { isKnown, now }: EventsContext
): Promise<Checked> {
  const fresh: CheckedEvent[] = []
  let parts: readonly Uint8Array[]
  try {
    parts = splitGossipEvents(payload)
    let signatures = 0
    for (const bytes of parts) {
      const event = checkEvent(bytes, genesis.params)
      const away = Math.abs(now() - event.fields.timestamp)
      if (isKnown(toHex(event.id)) || away > genesis.params.eventWindowMs || !mayAct(genesis, event.actor)) continue
      if (!verifyEventSignature(genesis.hash, event)) return bad('EVENT_BAD_SIGNATURE')
      fresh.push(event)
      if (++signatures % SIGNATURES_A_TURN === 0) await nextTurn()
    }
  } catch (error) {
    if (error instanceof MolochError) return bad(error.code)
    throw error
  }
  return good({ type: 'events', eventCount: parts.length, fresh })
}

function finalizedOf(
  type: DecodedFinalized['type'],
  genesis: Genesis,
  header: Header,
  hash: Uint8Array,
  commit: Commit
): DecodedFinalized {
  const signers = commit.signatures.map(({ validator }) => genesis.validators.indexOf(validator))
  return { type, ...factsOf(genesis, header, hash), round: commit.round, signers }
}

function factsOf(genesis: Genesis, header: Header, hash: Uint8Array) {
  return {
    height: header.height,
    hash: toHex(hash),
    parentHash: toHex(header.parentHash),
    timestamp: header.timestamp,
    proposer: genesis.validators.indexOf(header.proposer),
    eventCount: header.eventCount
  }
}

function good(message: Decoded): Checked {
  return { ok: true, message }
}

function bad(code: string): Checked {
  return { ok: false, code }
}
