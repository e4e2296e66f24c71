/** The check of the `events` topic's messages: see gossip-rules.ts for what it may rest on. */
import { toHex } from '../codec/bytes.ts'
import { assertCanonical } from '../codec/canonical.ts'
import { type EventsParts, splitEvents } from '../codec/raw.ts'
import { EVENTS } from '../codec/rules.ts'
import { MolochError } from '../error.ts'
import { mayAct } from './check-events.ts'
import { type CheckedEvent, checkEvent } from './event.ts'
import type { Genesis } from './genesis.ts'
import { type Checked, refusal } from './gossip-rules.ts'
import { voucherOf } from './voucher.ts'

/** More events than this in one gossip message are refused unread: a decode flood. */
const GOSSIP_MAX_EVENTS = 2048
/** Events looked at between which others get a turn: 2048 in a row would hold the loop for 150 ms. */
const EVENTS_A_TURN = 50

export interface EventsContext {
  /** `verifyEventSignature`, however it spares itself what was checked before. */
  readonly isSigned: (event: CheckedEvent) => boolean
  /** Lets others have their turn. */
  readonly giveWay: () => Promise<unknown>
}

/** An `Events` message that is good. */
export interface EventsMessage {
  readonly events: readonly CheckedEvent[]
  /** Index of the validator that vouches for them. */
  readonly voucher: number | undefined
}

/** As `eventsMessageCheck`, with others' turns between its steps. */
export async function checkEventsMessage(
  genesis: Genesis,
  payload: Uint8Array,
  { isSigned, giveWay }: EventsContext
): Promise<Checked<EventsMessage>> {
  const steps = eventsMessageCheck(genesis, payload, isSigned)
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
    await giveWay()
  }
}

/**
 * Every event in full, whether it is of use here or not: of one that was passed over a node whose clock differs would say
 * that who forwarded it should never have. It yields where others may have a turn.
 * @param isSigned `verifyEventSignature`, however it spares itself what was checked before
 */
export function* eventsMessageCheck(
  genesis: Genesis,
  payload: Uint8Array,
  isSigned: (event: CheckedEvent) => boolean
): Generator<void, Checked<EventsMessage>> {
  const parts = attempt(() => partsOf(payload))
  if (!parts.ok) return parts
  const { voucher } = parts.message
  const validator = voucher && voucherOf(genesis, payload, voucher)
  if (voucher !== undefined && validator === undefined) return refusal('BAD_VOUCHER')
  const events: CheckedEvent[] = []
  const ids = new Set<string>()
  for (const [index, bytes] of parts.message.events.entries()) {
    if (index > 0 && index % EVENTS_A_TURN === 0) yield
    const checked = attempt(() => checkEvent(bytes, genesis.params))
    if (!checked.ok) return checked
    const event = checked.message
    const id = toHex(event.id)
    if (ids.has(id)) return refusal('EVENT_REPEATED')
    ids.add(id)
    if (!mayAct(genesis, event.actor)) return refusal('EVENT_ACTOR_UNKNOWN')
    if (!isSigned(event)) return refusal('EVENT_BAD_SIGNATURE')
    events.push(event)
  }
  return { ok: true, message: { events, voucher: validator } }
}

/** @throws MolochError NON_CANONICAL | EVENT_MALFORMED */
function partsOf(payload: Uint8Array): EventsParts {
  assertCanonical(EVENTS, payload)
  const parts = splitEvents(payload)
  const count = parts.events.length
  if (count > 0 && count <= GOSSIP_MAX_EVENTS) return parts
  throw new MolochError('EVENT_MALFORMED', `${count} events in a message; 1 to ${GOSSIP_MAX_EVENTS} are accepted`)
}

/** What is thrown for the bytes' sake is a refusal. */
function attempt<Result>(read: () => Result): Checked<Result> {
  try {
    return { ok: true, message: read() }
  } catch (error) {
    if (error instanceof MolochError) return refusal(error.code)
    throw error
  }
}
