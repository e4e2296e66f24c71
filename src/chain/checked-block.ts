/** What the checks of a block make, and the part of them that needs nothing but the block and the genesis. */
import { equalBytes, toHex } from '../codec/bytes.ts'
import { assertCanonical, assertCanonicalRange } from '../codec/canonical.ts'
import { emptyEventSpans, findEventSpans } from '../codec/event-spans.ts'
import { type Commit, Header } from '../codec/generated/chain.ts'
import { type BlockParts, splitBlock } from '../codec/raw.ts'
import { BLOCK, EVENT_BODY, type MessageRule } from '../codec/rules.ts'
import { verify } from '../crypto/ed25519.ts'
import { messageOf } from '../error.ts'
import { blockHash, sealMessage } from './domain.ts'
import { hashEventIds, hashEvents } from './event-hashes.ts'
import { type Failure, failure } from './failures.ts'
import type { Genesis } from './genesis.ts'
import { HEADER_VERSION } from './header.ts'
import { HASH_BYTES, merkleRoot } from './merkle.ts'

type Bytes = Uint8Array<ArrayBuffer>

declare const checked: unique symbol

/**
 * A block whose stateless checks were made. Only the checkers make one. It says nothing about the chain it would be
 * appended to, and its own faults of a later stage than the links' are in `deferred`: `checkLink` reports both.
 * Plain data: it survives a structured clone, and its byte strings are views of the frame that was checked.
 */
export interface CheckedBlock {
  readonly [checked]: true
  /** `history`: as part of a chain whose block hashes are known; seal and commit were not looked at. */
  readonly checked: 'finalized' | 'proposal' | 'history'
  readonly height: number
  readonly hash: Bytes
  readonly header: Header
  readonly blockBytes: Bytes
  /** Empty for a proposal. */
  readonly commitBytes: Bytes
  /** Decoded of a finalized block alone. */
  readonly commit: Commit | undefined
  /** 32·n bytes: the ids of the events in order. Empty if there is a deferred fault. */
  readonly eventIds: Bytes
  /** 96·n bytes: hashes of each event's actor, resource and action keys. Empty if there is a deferred fault. */
  readonly keyHashes: Bytes
  readonly deferred?: Failure
}

/** A checked block's data, as it crosses a thread. */
export type BlockData = Omit<CheckedBlock, typeof checked>

export type CheckResult<Block = CheckedBlock> = { ok: true; block: Block } | { ok: false; failure: Failure }

/** For the checkers and the pool that runs them: says that `data` is a checker's result. */
export function markChecked<Data extends BlockData>(data: Data): Data & CheckedBlock {
  return data as Data & CheckedBlock
}

/** What is known of a block after its stateless checks; `deferred` is the first that failed. */
export interface Inspected {
  readonly header: Header
  readonly hash: Bytes
  readonly seal: Uint8Array
  readonly events: BlockParts['events']
  readonly eventIds: Bytes
  readonly keyHashes: Bytes
  readonly deferred: Failure | undefined
}

/** Events that are hashed between two pauses. */
const EVENTS_A_STEP = 2000

const NONE: Bytes = new Uint8Array(0)

/** Canonical form as a failure and not as an error. */
export function canonicalFailure(rule: MessageRule, bytes: Uint8Array): Failure | undefined {
  try {
    assertCanonical(rule, bytes)
    return undefined
  } catch (error) {
    return failure('NON_CANONICAL', messageOf(error))
  }
}

export function sizeFailure(what: string, bytes: Uint8Array, max: number): Failure | undefined {
  if (bytes.byteLength <= max) return undefined
  return failure('TOO_LARGE', `${what} is ${bytes.byteLength} bytes; accepted: at most ${max}`)
}

/** As `inspectContent`, and the seal. */
export function inspectBlock(genesis: Genesis, blockBytes: Uint8Array, walked: boolean): Inspected | Failure {
  const inspected = inspectContent(genesis, blockBytes, walked)
  if ('code' in inspected || inspected.deferred !== undefined) return inspected
  const { header, hash, events, seal } = inspected
  const deferred = sealFailure(genesis, header, hash, seal)
  return deferred === undefined ? inspected : faulty({ header, hash, seal, events }, deferred)
}

/**
 * §7 without seal, links and commit, in its order, up to the first fault: all that the block hash vouches for.
 * @param walked whether the block was part of a message that is known to be canonical
 * @returns a Failure (`code`) for what is before the links in the order of checks
 */
export function inspectContent(genesis: Genesis, blockBytes: Uint8Array, walked: boolean): Inspected | Failure {
  const { params } = genesis
  const tooLarge = sizeFailure('block', blockBytes, params.maxBlockBytes)
  if (tooLarge !== undefined) return tooLarge
  const malformed = walked ? undefined : canonicalFailure(BLOCK, blockBytes)
  if (malformed !== undefined) return malformed
  const { header: headerBytes, seal, events } = splitBlock(blockBytes)
  // Before any work for each event.
  const tooMany = tooManyFailure(genesis, events.length)
  if (tooMany !== undefined) return tooMany
  const body = bodiesFailure(events)
  if (body !== undefined) return body
  const header = Header.decode(headerBytes)
  if (header.version !== HEADER_VERSION) {
    return failure('BAD_VERSION', `header's version is ${header.version}; accepted: ${HEADER_VERSION}`)
  }
  const hash = blockHash(genesis.hash, header)
  const parts = { header, hash, seal, events }
  const before = validatorsHashFailure(genesis, header) ?? eventCountFailure(header, events.length)
  if (before !== undefined) return faulty(parts, before)
  const { eventIds, keyHashes } = hashEvents(events)
  const deferred = eventsRootFailure(header, eventIds)
  return deferred === undefined ? { ...parts, eventIds, keyHashes, deferred } : faulty(parts, deferred)
}

function faulty(parts: Pick<Inspected, 'header' | 'hash' | 'seal' | 'events'>, deferred: Failure): Inspected {
  return { ...parts, eventIds: NONE, keyHashes: NONE, deferred }
}

function tooManyFailure({ params }: Genesis, count: number): Failure | undefined {
  if (count <= params.maxBlockEvents) return undefined
  return failure('TOO_LARGE', `block has ${count} events; accepted: at most ${params.maxBlockEvents}`)
}

/**
 * Whether a canonical block holds the events that its hash is over. If it does, and its seal is good, then whatever else
 * is wrong with it is so of every block of that hash: its proposer is at fault. If not, it is whoever sent these bytes.
 */
export function foreignEventsFailure(
  genesis: Genesis,
  header: Header,
  events: readonly Uint8Array[]
): Failure | undefined {
  return atOnce(foreignEventsSteps(genesis, header, events))
}

/** The same, with a pause between two steps of some milliseconds: all of a full block at once takes the loop over twenty. */
export function* foreignEventsSteps(
  genesis: Genesis,
  header: Header,
  events: readonly Uint8Array[]
): Generator<void, Failure | undefined> {
  const tooMany = tooManyFailure(genesis, events.length)
  if (tooMany !== undefined) return tooMany
  const eventIds = new Uint8Array(HASH_BYTES * events.length)
  for (let at = 0; at < events.length; at += EVENTS_A_STEP) {
    eventIds.set(hashEventIds(events.slice(at, at + EVENTS_A_STEP)), HASH_BYTES * at)
    if (events.length > EVENTS_A_STEP) yield
  }
  return eventsRootFailure(header, eventIds)
}

/** Takes all steps without a pause. */
export function atOnce<Result>(steps: Generator<void, Result>): Result {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
  }
}

/** Event bodies are bytes to the block's walk; they have to be canonical too (protocol §3). */
function bodiesFailure(events: readonly Uint8Array[]): Failure | undefined {
  const spans = emptyEventSpans()
  try {
    for (const event of events) {
      findEventSpans(event, 0, spans)
      assertCanonicalRange(EVENT_BODY, event, spans.body, spans.bodyEnd)
    }
    return undefined
  } catch (error) {
    return failure('NON_CANONICAL', messageOf(error))
  }
}

export function validatorsHashFailure(genesis: Genesis, header: Header): Failure | undefined {
  const { hash } = genesis.validators
  // The second is for changes of the set, which this version does not have: it repeats the first.
  for (const name of ['validatorsHash', 'nextValidatorsHash'] as const) {
    if (!equalBytes(header[name], hash)) {
      return failure('BAD_VALIDATORS_HASH', `header's ${name} is ${toHex(header[name])}; accepted: ${toHex(hash)}`)
    }
  }
  return undefined
}

function eventCountFailure(header: Header, count: number): Failure | undefined {
  if (header.eventCount === count) return undefined
  return failure('BAD_EVENT_COUNT', `header's event_count is ${header.eventCount}, the block has ${count} events`)
}

function eventsRootFailure(header: Header, eventIds: Uint8Array): Failure | undefined {
  const root = merkleRoot(eventIds)
  if (equalBytes(header.eventsRoot, root)) return undefined
  return failure(
    'BAD_EVENTS_ROOT',
    `header's events_root is ${toHex(header.eventsRoot)}, the events' is ${toHex(root)}`
  )
}

/** The proposer is a validator and sealed this hash. */
export function sealFailure(genesis: Genesis, header: Header, hash: Uint8Array, seal: Uint8Array): Failure | undefined {
  const proposer = genesis.validators.indexOf(header.proposer)
  if (proposer < 0) return failure('BAD_PROPOSER', `header's proposer ${toHex(header.proposer)} is no validator`)
  if (verify(header.proposer, sealMessage(genesis.hash, hash), seal)) return undefined
  return failure('BAD_SEAL', `seal is not ${genesis.validators.names[proposer]}'s over the block hash`)
}
