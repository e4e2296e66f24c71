import { type CheckedEvent, checkEvent, verifyEventSignature } from '../../chain/event.ts'
import type { Genesis } from '../../chain/genesis.ts'
import { verifyInclusion } from '../../chain/merkle-proof.ts'
import { equalBytes, toHex } from '../../codec/bytes.ts'
import type { Header } from '../../codec/generated/chain.ts'
import { SignedEvent } from '../../codec/generated/event.ts'
import type { CompactProof } from '../../codec/generated/proof.ts'
import { hasCode, messageOf } from '../../error.ts'
import { type Anchor, type AnchoredHeader, checkAnchor, checkAnchoredHeader, checkAnchorHeight } from './anchor.ts'
import { eventFault, headerFault, heightFault, isCount, pathFault } from './form.ts'
import { type CheckedStep, Checks, type ProofFailure } from './result.ts'

export interface ProvenEvent {
  readonly ok: true
  readonly event: CheckedEvent
  /** Place in the block. */
  readonly index: number
  /** Of the event's block. */
  readonly header: Header
  /** The block hash. */
  readonly hash: Uint8Array
  readonly steps: readonly CheckedStep[]
}

export type EventProofResult = ProvenEvent | ProofFailure

export interface EventProofOptions {
  /** The event that was asked for: a proof of another one fails. */
  readonly eventId?: Uint8Array | undefined
}

/**
 * Checks that the event is in a block of the chain that the anchor is a header of. Pure: no I/O, no clock; nothing that
 * a proof holds makes it throw. The first fault is what is reported.
 */
export function verifyEventProof(
  proof: CompactProof,
  anchor: Anchor,
  genesis: Genesis,
  options: EventProofOptions = {}
): EventProofResult {
  return checkEventProof(new Checks(), proof, anchor, genesis, options)
}

/** The same after other checks. */
export function checkEventProof(
  checks: Checks,
  proof: CompactProof,
  anchor: Anchor,
  genesis: Genesis,
  { eventId }: EventProofOptions
): EventProofResult {
  const malformed = formFault(proof)
  if (malformed !== undefined) return checks.fail('PROOF_MALFORMED', malformed)
  const anchored: AnchoredHeader = { header: proof.header as Header, ...proof }
  const read = readEvent(proof.event as SignedEvent, genesis)
  if (read.malformed !== undefined) return checks.fail('PROOF_MALFORMED', read.malformed)
  checks.pass('form', 'every part is there, in its canonical form')

  const wrongAnchor = checkAnchor(checks, anchor, genesis) ?? checkAnchorHeight(checks, anchored, anchor)
  if (wrongAnchor !== undefined) return wrongAnchor

  const { event } = read
  if (event === undefined) return checks.fail('PROOF_EVENT_BOUNDS', read.outOfBounds)
  const wrongEvent = checkEventItself(checks, event, anchored.header, genesis, eventId)
  if (wrongEvent !== undefined) return wrongEvent

  const outside = checkPlace(checks, proof, event, anchored.header)
  if (outside !== undefined) return outside

  const block = checkAnchoredHeader(checks, anchored, anchor, genesis)
  if (!block.ok) return block
  const { header } = anchored
  return { ok: true, event, index: proof.eventIndex, header, hash: block.hash, steps: checks.passed }
}

function formFault(proof: CompactProof): string | undefined {
  return (
    eventFault(proof.event) ??
    headerFault('header', proof.header) ??
    pathFault('event_path', proof.eventPath) ??
    pathFault('mmr_path', proof.mmrPath) ??
    heightFault('anchor_height', proof.anchorHeight)
  )
}

type ReadEvent =
  | { readonly event: CheckedEvent; readonly malformed?: undefined }
  | { readonly event?: undefined; readonly malformed: string }
  | { readonly event?: undefined; readonly malformed?: undefined; readonly outOfBounds: string }

function readEvent(signed: SignedEvent, genesis: Genesis): ReadEvent {
  try {
    return { event: checkEvent(SignedEvent.encode(signed), genesis.params) }
  } catch (error) {
    const bounds = hasCode(error, 'EVENT_TOO_LARGE') || hasCode(error, 'EVENT_BOUNDS')
    return bounds ? { outOfBounds: messageOf(error) } : { malformed: messageOf(error) }
  }
}

/** The event is the one asked for, one that validators may take, and its actor's. */
function checkEventItself(
  checks: Checks,
  event: CheckedEvent,
  header: Header,
  genesis: Genesis,
  asked: Uint8Array | undefined
): ProofFailure | undefined {
  const id = toHex(event.id)
  if (asked !== undefined && !equalBytes(asked, event.id)) {
    return checks.fail('PROOF_WRONG_EVENT', `the proof is for event ${id}; asked for was ${toHex(asked)}`)
  }
  checks.pass('event', `event ${id}`)
  const actor = toHex(event.actor)
  if (genesis.actors?.has(actor) === false) {
    return checks.fail('PROOF_EVENT_BOUNDS', `event's actor ${actor} is none of those in the genesis`)
  }
  const { timestamp } = event.fields
  const { eventWindowMs } = genesis.params
  if (Math.abs(header.timestamp - timestamp) > eventWindowMs) {
    const message = `event's timestamp ${timestamp} is more than ${eventWindowMs} ms from the block's ${header.timestamp}`
    return checks.fail('PROOF_EVENT_BOUNDS', message)
  }
  checks.pass('bounds', `${event.bytes.byteLength} bytes, every field within bounds, signed within the block's window`)
  if (!verifyEventSignature(genesis.hash, event)) {
    return checks.fail('PROOF_EVENT_SIGNATURE', `event's signature is not ${actor}'s for this chain`)
  }
  checks.pass('signature', `signed by ${actor} for this chain`)
  return undefined
}

/** The event is at that place under events_root. */
function checkPlace(
  checks: Checks,
  { eventIndex, eventCount, eventPath }: CompactProof,
  event: CheckedEvent,
  header: Header
): ProofFailure | undefined {
  if (eventCount !== header.eventCount || !isCount(eventIndex, eventCount - 1)) {
    const message = `event is ${eventIndex} of ${eventCount}; the header's event_count is ${header.eventCount}`
    return checks.fail('PROOF_EVENT_INDEX', message)
  }
  checks.pass('event_index', `event ${eventIndex} of the ${eventCount} of block ${header.height}`)
  // An event's id is its leaf hash.
  const leaf = { leafHash: event.id, index: eventIndex, size: eventCount, path: eventPath }
  if (!verifyInclusion({ ...leaf, root: header.eventsRoot })) {
    const message = `${eventPath.length} hashes do not lead from event ${eventIndex} of ${eventCount} to events_root`
    return checks.fail('PROOF_EVENT_PATH', message)
  }
  checks.pass('event_path', `${eventPath.length} hashes to events_root ${toHex(header.eventsRoot)}`)
  return undefined
}
