/** The checks that every role makes before it forwards a message (protocol §9), and what the messages say that pass them. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { checkFinalized } from '../chain/check-block.ts'
import { verifyEventSignature } from '../chain/event.ts'
import type { Genesis } from '../chain/genesis.ts'
import {
  checkFinalMessage,
  checkHeaderMessage,
  checkNewBlockMessage,
  checkVoteMessage
} from '../chain/gossip-checks.ts'
import { checkEventsMessage } from '../chain/gossip-events.ts'
import type { Checked } from '../chain/gossip-rules.ts'
import type { Header } from '../chain/header.ts'
import { isNil, type Vote, VoteType } from '../chain/vote.ts'
import { toHex } from '../codec/bytes.ts'
import type { Commit } from '../codec/generated/chain.ts'
import type { Topic } from '../network/types.ts'
import type { Decoded, DecodedFinalized } from './decoded.ts'

/** @param isVerified whether the event of this id was found to be truly signed before */
export async function checkMessage(
  genesis: Genesis,
  topic: Topic,
  payload: Uint8Array,
  isVerified: (id: Uint8Array) => boolean
): Promise<Checked<Decoded>> {
  switch (topic) {
    case 'block':
      return map(await checkNewBlockMessage(genesis, payload, nextTurn), ({ header, hash, round, validRound }) => ({
        type: 'new-block',
        ...factsOf(genesis, header, hash),
        round,
        validRound
      }))
    case 'vote':
      return map(checkVoteMessage(genesis, payload), (vote) => voteOf(genesis, vote))
    case 'finalized': {
      const checked = await checkFinalMessage(genesis, payload, { verify: (bytes) => checkFinalized(genesis, bytes) })
      return map(checked, ({ block }) => finalizedOf('finalized', genesis, block as NonNullable<typeof block>))
    }
    case 'header':
      return map(checkHeaderMessage(genesis, payload), (header) => finalizedOf('header', genesis, header))
    case 'events': {
      const checked = await checkEventsMessage(genesis, payload, {
        isSigned: (event) => isVerified(event.id) || verifyEventSignature(genesis.hash, event),
        giveWay: nextTurn
      })
      return map(checked, ({ events, voucher }) => ({
        type: 'events',
        eventCount: events.length,
        voucher,
        fresh: events
      }))
    }
  }
}

function map<From, To>(checked: Checked<From>, say: (message: From) => To): Checked<To> {
  return checked.ok ? { ok: true, message: say(checked.message) } : checked
}

function voteOf(genesis: Genesis, vote: Vote): Decoded {
  return {
    type: vote.type === VoteType.PREVOTE ? 'prevote' : 'precommit',
    height: vote.height,
    round: vote.round,
    hash: isNil(vote) ? undefined : toHex(vote.blockHash),
    validator: genesis.validators.indexOf(vote.validator)
  }
}

function finalizedOf(
  type: DecodedFinalized['type'],
  genesis: Genesis,
  { header, hash, commit }: { header: Header; hash: Uint8Array; commit: Commit | undefined }
): DecodedFinalized {
  const { round, signatures } = commit as Commit
  const signers = signatures.map(({ validator }) => genesis.validators.indexOf(validator))
  return { type, ...factsOf(genesis, header, hash), round, signers }
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
