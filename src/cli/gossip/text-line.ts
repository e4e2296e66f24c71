import type { DecodedEvents } from '../../observer/decoded.ts'
import type { Observation, RejectedMessage, SeenMessage } from '../../observer/observations.ts'
import type { Names } from './filter.ts'

const TYPE_CHARS = 'precommit'.length
const HASH_CHARS = 10
const PEER_CHARS = 8
/** Actions of an events message that are named. */
const MAX_ACTIONS = 3

/** One observation as a line for people. */
export function textLine(observation: Observation, names: Names): string {
  return `${timeOfDay(observation.at)}  ${words(observation, names)}`
}

function words(observation: Observation, names: Names): string {
  switch (observation.type) {
    case 'message':
      return join(
        observation.message.type.padEnd(TYPE_CHARS),
        ...about(observation, names),
        `${count(observation.bytes)} B`,
        delay(observation),
        sender(observation, names),
        observation.conflict ? 'CONFLICT: a second one where only one may be' : '',
        observation.late ? 'late: reported as missed before' : ''
      )
    case 'rejected':
      return join(
        'rejected'.padEnd(TYPE_CHARS),
        `on ${observation.topic}: ${observation.code}`,
        `${count(observation.bytes)} B`,
        sender(observation, names)
      )
    case 'gap': {
      const { topic, from, to, disconnectedMs } = observation
      const heights = from === to ? `height ${from}` : `heights ${from} to ${to} (${count(to - from + 1)})`
      const away = disconnectedMs === undefined ? '' : `; disconnected for ${seconds(disconnectedMs)}`
      return `${'GAP'.padEnd(TYPE_CHARS)}  nothing came on ${topic} of ${heights}${away}`
    }
    case 'left':
      return `${'LEFT'.padEnd(TYPE_CHARS)}  no peer is left; final up to ${observation.finalHeight}; trying again`
    case 'joined': {
      const { peer, finalHeight, disconnectedMs } = observation
      const away = disconnectedMs === undefined ? '' : `; disconnected for ${seconds(disconnectedMs)}`
      return `${'JOINED'.padEnd(TYPE_CHARS)}  peer ${shortPeer(peer)}, final up to ${finalHeight}${away}`
    }
  }
}

function about({ message }: SeenMessage, { names }: Names): string[] {
  switch (message.type) {
    case 'events':
      return [events(message), message.voucher === undefined ? '' : `vouched for by ${names[message.voucher]}`]
    case 'new-block': {
      const { height, round, validRound, hash, proposer, eventCount } = message
      const again = validRound === undefined ? '' : `again, valid in round ${validRound}`
      return [place(height, round), shortHash(hash), `by ${names[proposer]}`, plural(eventCount, 'event'), again]
    }
    case 'finalized':
    case 'header': {
      const { height, round, hash, proposer, eventCount, signers } = message
      const signed = `signed by ${signers.length} of ${names.length}`
      return [place(height, round), shortHash(hash), `by ${names[proposer]}`, plural(eventCount, 'event'), signed]
    }
    default: {
      const { height, round, hash, validator } = message
      return [
        place(height, round),
        hash === undefined ? 'nil'.padEnd(HASH_CHARS + 1) : shortHash(hash),
        `by ${names[validator]}`
      ]
    }
  }
}

function events({ eventCount, fresh }: DecodedEvents): string {
  const known = eventCount - fresh.length
  const actions = [...new Set(fresh.map(({ fields }) => fields.action))]
  const more = actions.length > MAX_ACTIONS ? ', …' : ''
  const named = `(${actions.slice(0, MAX_ACTIONS).join(', ')}${more})`
  return `${plural(fresh.length, 'event')} ${named}${known > 0 ? `, ${count(known)} more passed over` : ''}`
}

function delay({ at, blockTime }: SeenMessage): string {
  return blockTime === undefined ? '' : `${at < blockTime ? '−' : '+'}${count(Math.abs(at - blockTime))} ms`
}

function sender({ from, fromValidator }: SeenMessage | RejectedMessage, { names }: Names): string {
  return `from ${fromValidator === undefined ? shortPeer(from) : names[fromValidator]}`
}

function place(height: number, round: number): string {
  return `${height}/${round}`
}

function shortHash(hash: string): string {
  return `${hash.slice(0, HASH_CHARS)}…`
}

/** The end of a peer id, where ids differ. */
function shortPeer(peer: string): string {
  return `…${peer.slice(-PEER_CHARS)}`
}

function timeOfDay(ms: number): string {
  return new Date(ms).toISOString().slice(11, 23)
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

function plural(n: number, noun: string): string {
  return `${count(n)} ${noun}${n === 1 ? '' : 's'}`
}

function count(n: number): string {
  return n.toLocaleString('en-US')
}

function join(...parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join('  ')
}
