/** §8's checks of the events of a proposed block; also of a finalized one if it is asked for (`--verify-events`). */
import { toHex } from '../codec/bytes.ts'
import { emptyBodySpans, emptyEventSpans, findBodySpans, findEventSpans } from '../codec/event-spans.ts'
import { MolochError, messageOf } from '../error.ts'
import { type CheckedEvent, checkEvent, verifyEventSignature } from './event.ts'
import { type EventFailureCode, type Failure, failure } from './failures.ts'
import type { Genesis } from './genesis.ts'
import { HASH_BYTES } from './merkle.ts'
import type { VerifiedEvents } from './verified-events.ts'

/** A block's events, canonical with canonical bodies. */
export interface BlockEvents {
  /** Encoded SignedEvents. */
  readonly events: readonly Uint8Array[]
  /** 32·n bytes. */
  readonly eventIds: Uint8Array
}

export interface EventsOptions {
  /** Spares the work for events that it knows, and changes no answer. */
  readonly verified?: VerifiedEvents | undefined
  /** Called now and then: others may have a turn. What it throws ends the check. */
  readonly giveWay?: (() => void) | undefined
}

export interface EventsCheck {
  /** Unix ms, one for each event; complete only if there is no failure. */
  readonly timestamps: number[]
  readonly failure: Failure | undefined
}

/** Some milliseconds. */
const SIGNATURES_A_TURN = 50

/** What is looked at of an event whose form, bounds and signature are good. */
interface Facts {
  readonly actor: Uint8Array
  readonly timestamp: number
}

/**
 * Sizes, form, bounds, actors, window and repeats of all events, then their signatures: the dear part comes last.
 * Uniqueness among ancestors is the ledger's.
 */
export function checkEvents(
  genesis: Genesis,
  blockTimestamp: number,
  { events, eventIds }: BlockEvents,
  { verified, giveWay }: EventsOptions = {}
): EventsCheck {
  const timestamps: number[] = []
  const unverified: { readonly index: number; readonly event: CheckedEvent }[] = []
  const ids = new Set<string>()
  for (const [index, bytes] of events.entries()) {
    let facts: Facts
    if (bytes.byteLength <= genesis.params.maxEventBytes && verified?.has(eventIds, index * HASH_BYTES)) {
      facts = factsOf(bytes)
    } else {
      try {
        const event = checkEvent(bytes, genesis.params)
        unverified.push({ index, event })
        facts = { actor: event.actor, timestamp: event.fields.timestamp }
      } catch (error) {
        if (!(error instanceof MolochError)) throw error
        return { timestamps, failure: failure(error.code as EventFailureCode, `events[${index}]: ${messageOf(error)}`) }
      }
    }
    const id = toHex(eventIds.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES))
    const fault =
      actorFailure(genesis, facts.actor, index) ??
      windowFailure(genesis, blockTimestamp, facts.timestamp, index) ??
      (ids.has(id) ? failure('EVENT_REPEATED', `events[${index}]: ${id} is in the block twice`) : undefined)
    if (fault !== undefined) return { timestamps, failure: fault }
    ids.add(id)
    timestamps.push(facts.timestamp)
  }
  const forged = unverified.find(({ event }, count) => {
    if (count % SIGNATURES_A_TURN === 0) giveWay?.()
    return !isSigned(genesis, event, verified)
  })
  if (forged === undefined) return { timestamps, failure: undefined }
  const message = `events[${forged.index}]: signature is not its actor's over the body`
  return { timestamps, failure: failure('EVENT_BAD_SIGNATURE', message) }
}

function isSigned(genesis: Genesis, event: CheckedEvent, verified: VerifiedEvents | undefined): boolean {
  return verified?.isSigned(event) ?? verifyEventSignature(genesis.hash, event)
}

const spans = emptyEventSpans()
const parts = emptyBodySpans()

function factsOf(event: Uint8Array): Facts {
  findEventSpans(event, 0, spans)
  findBodySpans(event, spans.body, spans.bodyEnd, parts)
  return { actor: event.subarray(spans.actor, spans.actor + 32), timestamp: parts.timestamp }
}

function actorFailure(genesis: Genesis, actor: Uint8Array, index: number): Failure | undefined {
  if (mayAct(genesis, actor)) return undefined
  return failure('EVENT_ACTOR_UNKNOWN', `events[${index}]: actor ${toHex(actor)} is not in the genesis's actors`)
}

/** Whether the genesis lets this key sign events. */
export function mayAct(genesis: Genesis, actor: Uint8Array): boolean {
  return genesis.actors === undefined || genesis.actors.has(toHex(actor))
}

function windowFailure(genesis: Genesis, block: number, timestamp: number, index: number): Failure | undefined {
  const { eventWindowMs } = genesis.params
  if (Math.abs(block - timestamp) <= eventWindowMs) return undefined
  const message = `timestamp ${timestamp} is more than ${eventWindowMs} ms from the block's ${block}`
  return failure('EVENT_OUTSIDE_WINDOW', `events[${index}]: ${message}`)
}
