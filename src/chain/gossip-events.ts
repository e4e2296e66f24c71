import { assertCanonical } from '../codec/canonical.ts'
import { splitEvents } from '../codec/raw.ts'
import { EVENTS } from '../codec/rules.ts'
import { MolochError } from '../error.ts'

/** More events than this in one gossip message are refused unread: a decode flood. */
const GOSSIP_MAX_EVENTS = 2048
/** Checks between which others get a turn: 2048 in a row would hold the loop for 150 ms. */
export const SIGNATURES_A_TURN = 50

/**
 * The encoded SignedEvents of a message of the `events` topic: views of it, their bodies unchecked.
 * @throws MolochError NON_CANONICAL | EVENT_MALFORMED
 */
export function splitGossipEvents(payload: Uint8Array): readonly Uint8Array[] {
  assertCanonical(EVENTS, payload)
  const parts = splitEvents(payload)
  if (parts.length > 0 && parts.length <= GOSSIP_MAX_EVENTS) return parts
  throw new MolochError(
    'EVENT_MALFORMED',
    `${parts.length} events in a message; 1 to ${GOSSIP_MAX_EVENTS} are accepted`
  )
}
