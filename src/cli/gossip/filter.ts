import { InvalidArgumentError } from 'commander'
import type { Genesis } from '../../chain/genesis.ts'
import { TOPICS } from '../../network/topics.ts'
import type { Topic } from '../../network/types.ts'
import type { DecodedType } from '../../observer/decoded.ts'
import type { Observation, RejectedMessage, SeenMessage } from '../../observer/observations.ts'
import { usageError } from '../cli.ts'

export const MESSAGE_TYPES: readonly (DecodedType | 'rejected')[] = [
  'events',
  'new-block',
  'prevote',
  'precommit',
  'finalized',
  'header',
  'rejected'
]
export type MessageType = (typeof MESSAGE_TYPES)[number]

export interface Filter {
  readonly topic?: readonly Topic[]
  readonly type?: readonly MessageType[]
  /** Peer ids, ends of them, or validators' names. */
  readonly peer?: readonly string[]
  readonly height?: HeightFilter
}

export interface HeightFilter {
  readonly from: number
  readonly to: number
}

/** The end of a peer id that is told from others. */
const MIN_PEER_CHARS = 6

/** `12`, `12-20` or `12-`. */
export function heightsOption(text: string): HeightFilter {
  const [, from, dash, to] = /^(\d{1,16})(-)?(\d{1,16})?$/.exec(text) ?? []
  const range = {
    from: Number(from),
    to: to === undefined ? (dash ? Number.MAX_SAFE_INTEGER : Number(from)) : Number(to)
  }
  if (from !== undefined && (dash !== undefined || to === undefined) && range.from <= range.to) return range
  throw new InvalidArgumentError('A height, FROM-TO or FROM- is accepted.')
}

export function peerOption(text: string, before: readonly string[] = []): readonly string[] {
  if (text.trim() === '') throw new InvalidArgumentError("A peer id, its end, or a validator's name is accepted.")
  return [...before, text.replace(/^…/, '')]
}

/** Several of a few words, by commas or by repeating the option. */
export function choicesOption<Word extends string>(words: readonly Word[]) {
  return (text: string, before: readonly Word[] = []): readonly Word[] => {
    const given = text.split(',').map((word) => word.trim())
    const wrong = given.find((word) => !words.some((one) => one === word))
    if (wrong === undefined) return [...before, ...(given as Word[])]
    throw new InvalidArgumentError(`${JSON.stringify(wrong)} is none; accepted: ${words.join(', ')}.`)
  }
}

export const topicsOption = choicesOption(TOPICS)
export const typesOption = choicesOption(MESSAGE_TYPES)

/** What peers' and validators' names are looked up in. */
export type Names = Pick<Genesis['validators'], 'names'>

/** @throws MolochError USAGE for a peer that could be none */
export function assertPeers({ peer = [] }: Filter, { names }: Names): void {
  const wrong = peer.find((one) => one.length < MIN_PEER_CHARS && !names.includes(one))
  if (wrong === undefined) return
  const accepted = `a peer id or the last ${MIN_PEER_CHARS} characters of it or more, or one of ${names.join(', ')}`
  throw usageError(`--peer: ${JSON.stringify(wrong)} is no validator and too short; accepted: ${accepted}`)
}

/**
 * Whether to show it. Filters by type and peer are for messages: a gap is shown if its topic and heights are asked for, and
 * that there was no peer always, since nobody knows what was missed then.
 */
export function passes(filter: Filter, observation: Observation, names: Names): boolean {
  switch (observation.type) {
    case 'left':
    case 'joined':
      return true
    case 'gap': {
      const { topic, from, to } = observation
      const { height = ALL_HEIGHTS } = filter
      return isOneOf(filter.topic, topic) && height.from <= to && from <= height.to
    }
    default:
      return (
        isOneOf(filter.topic, observation.topic) &&
        isOneOf(filter.type, typeOf(observation)) &&
        isFrom(filter.peer, observation, names) &&
        isAt(filter.height, observation)
      )
  }
}

const ALL_HEIGHTS: HeightFilter = { from: 0, to: Number.MAX_SAFE_INTEGER }

export function typeOf(observation: SeenMessage | RejectedMessage): MessageType {
  return observation.type === 'rejected' ? 'rejected' : observation.message.type
}

function isOneOf<Word>(wanted: readonly Word[] | undefined, word: Word): boolean {
  return wanted === undefined || wanted.includes(word)
}

function isFrom(peers: Filter['peer'], { from, fromValidator }: SeenMessage | RejectedMessage, { names }: Names) {
  if (peers === undefined) return true
  const name = fromValidator === undefined ? undefined : names[fromValidator]
  return peers.some((peer) => peer === name || peer === from || (peer.length >= MIN_PEER_CHARS && from.endsWith(peer)))
}

/** What has no height is not at one. */
function isAt(heights: Filter['height'], observation: SeenMessage | RejectedMessage): boolean {
  if (heights === undefined) return true
  if (observation.type === 'rejected' || !('height' in observation.message)) return false
  const { height } = observation.message
  return heights.from <= height && height <= heights.to
}
