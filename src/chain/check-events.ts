/** §8's checks of the events of a proposed block; also of a finalized one if it is asked for (`--verify-events`). */
import { toHex } from '../codec/bytes.ts'
import { MolochError, messageOf } from '../error.ts'
import { type CheckedEvent, checkEvent, verifyEventSignature } from './event.ts'
import { type EventFailureCode, type Failure, failure } from './failures.ts'
import type { Genesis } from './genesis.ts'

export interface EventsCheck {
  /** Unix ms, one for each event; complete only if there is no failure. */
  readonly timestamps: number[]
  readonly failure: Failure | undefined
}

/**
 * Sizes, form, bounds, actors, window and repeats of all events, then their signatures: the dear part comes last.
 * Uniqueness among ancestors is the ledger's.
 */
export function checkEvents(genesis: Genesis, blockTimestamp: number, events: readonly Uint8Array[]): EventsCheck {
  const timestamps: number[] = []
  const checked: CheckedEvent[] = []
  const ids = new Set<string>()
  for (const [index, bytes] of events.entries()) {
    let event: CheckedEvent
    try {
      event = checkEvent(bytes, genesis.params)
    } catch (error) {
      if (!(error instanceof MolochError)) throw error
      return { timestamps, failure: failure(error.code as EventFailureCode, `events[${index}]: ${messageOf(error)}`) }
    }
    const id = toHex(event.id)
    const fault =
      actorFailure(genesis, event, index) ??
      windowFailure(genesis, blockTimestamp, event, index) ??
      (ids.has(id) ? failure('EVENT_REPEATED', `events[${index}]: ${id} is in the block twice`) : undefined)
    if (fault !== undefined) return { timestamps, failure: fault }
    ids.add(id)
    timestamps.push(event.fields.timestamp)
    checked.push(event)
  }
  const forged = checked.findIndex((event) => !verifyEventSignature(genesis.hash, event))
  if (forged < 0) return { timestamps, failure: undefined }
  const message = `events[${forged}]: signature is not its actor's over the body`
  return { timestamps, failure: failure('EVENT_BAD_SIGNATURE', message) }
}

function actorFailure(genesis: Genesis, event: CheckedEvent, index: number): Failure | undefined {
  if (mayAct(genesis, event.actor)) return undefined
  return failure('EVENT_ACTOR_UNKNOWN', `events[${index}]: actor ${toHex(event.actor)} is not in the genesis's actors`)
}

/** Whether the genesis lets this key sign events. */
export function mayAct(genesis: Genesis, actor: Uint8Array): boolean {
  return genesis.actors === undefined || genesis.actors.has(toHex(actor))
}

function windowFailure(genesis: Genesis, block: number, event: CheckedEvent, index: number): Failure | undefined {
  const { timestamp } = event.fields
  const { eventWindowMs } = genesis.params
  if (Math.abs(block - timestamp) <= eventWindowMs) return undefined
  const message = `timestamp ${timestamp} is more than ${eventWindowMs} ms from the block's ${block}`
  return failure('EVENT_OUTSIDE_WINDOW', `events[${index}]: ${message}`)
}
