/**
 * How an event gets in: from this node's API (fsynced before it is acknowledged, then offered to the validators) or
 * from a peer's gossip (checked, held, forwarded). Both ways end in the mempool; neither changes anything on failure.
 */
import { mayAct } from '../chain/check-events.ts'
import { type CheckedEvent, checkEvent } from '../chain/event.ts'
import { type ChainTime, describeOutside, type EventTiming, eventTiming } from '../chain/event-time.ts'
import type { Genesis } from '../chain/genesis.ts'
import type { EventsMessage } from '../chain/gossip-events.ts'
import { type Checked, refusal, type Taken, type TopicRules, type Weighed } from '../chain/gossip-rules.ts'
import type { AddResult, Mempool, Source } from '../chain/mempool.ts'
import type { VerifiedEvents } from '../chain/verified-events.ts'
import { claimOf, namedValidator } from '../chain/voucher.ts'
import { toHex } from '../codec/bytes.ts'
import { MolochError } from '../error.ts'
import type { EventFate } from '../store/mempool-store.ts'
import type { EventsLane } from '../verify/pool.ts'
import { EventBacklog } from './event-backlog.ts'

/** The signature of an event that is known is not checked again, which is most of the work. */
const KNOWN_WASTE = 1 / 8
/** By what became of a gossiped event, which part of looking at it was for nothing. */
const WASTE: Readonly<Record<AddResult, number>> = {
  added: 0,
  displacing: 0,
  raised: 0,
  known: KNOWN_WASTE,
  full: 1,
  'actor-full': 1,
  'source-full': 1
}

export type SubmitStatus = 'pending' | 'finalized'

export interface Submitted {
  readonly id: Uint8Array
  readonly status: SubmitStatus
}

export interface IngressPorts {
  readonly genesis: Genesis
  readonly mempool: Mempool
  /** Takes note of what was checked: a block that is proposed with it costs no second check. */
  readonly verified: VerifiedEvents
  /** `eventsMessageCheck`, off the main loop: what consensus waits for goes first there, and what nobody vouches for last. */
  readonly checkMessage: (payload: Uint8Array, lane: EventsLane) => Promise<Checked<EventsMessage>>
  /** Whether the event was finalized within the last two windows, from memory. */
  readonly isFinalized: (id: Uint8Array) => boolean
  /** What became of an event of any age: it may be looked for on the disk. */
  readonly fateOf: (event: CheckedEvent) => Promise<EventFate>
  /** Resolves once the events are fsynced. */
  readonly save: (events: readonly CheckedEvent[]) => Promise<void>
  /** Takes care that the event reaches the validators. */
  readonly offer: (event: CheckedEvent) => void
  /** Called after events came into the mempool: a proposer may be waiting for the first. */
  readonly added: () => void
  /** Why no event would ever be finalized here; undefined: all is well. */
  readonly halt: () => { readonly code: string; readonly message: string } | undefined
  /** By which it is told what the blocks to come may take. */
  readonly chainTime: () => ChainTime
}

export class EventIngress {
  readonly #ports: IngressPorts
  readonly #backlog: EventBacklog
  /** The `events` topic: of a message with one bad event nothing is taken. */
  readonly topic: TopicRules<EventsMessage>

  constructor(ports: IngressPorts) {
    this.#ports = ports
    this.#backlog = new EventBacklog(ports.genesis.validators)
    this.topic = {
      isFull: (payload, from) => !this.#hasRoom(payload, from),
      check: (payload) => this.#check(payload),
      take: (message, from) => this.#takeGossiped(message, from)
    }
  }

  /**
   * Takes one SignedEvent from an API caller. It is on disk when this resolves. Doing it again changes nothing: what is
   * final is said to be so at any age, by a node that is halted too, and what waits goes on to wait.
   * @param caller who the quota is counted against, e.g. an IP address
   * @throws MolochError with an EventFailureCode, MEMPOOL_FULL, BUSY, UNAVAILABLE (too old to be taken, and whether it is final
   * cannot be told here), or the code of what has halted this node; `details.event_id` is there once the event has one
   */
  async submit(bytes: Uint8Array, caller: string): Promise<Submitted> {
    const event = checkEvent(bytes, this.#ports.genesis.params)
    if (this.#ports.isFinalized(event.id)) return { id: event.id, status: 'finalized' }
    try {
      return await this.#take(event, caller)
    } catch (error) {
      if (!(error instanceof MolochError)) throw error
      const details = { ...error.details, event_id: toHex(event.id) }
      throw new MolochError(error.code, error.message, details, { cause: error.cause })
    }
  }

  async #take(event: CheckedEvent, caller: string): Promise<Submitted> {
    const { mempool, halt } = this.#ports
    const waits = mempool.has(event.id)
    if (!waits && this.#timing(event) !== 'in-time' && (await this.#isFinal(event))) {
      return { id: event.id, status: 'finalized' }
    }
    const reason = halt()
    if (reason !== undefined) throw new MolochError(reason.code, reason.message, { httpStatus: 503 })
    if (!waits) {
      if (this.#backlog.isBehind) throw busy()
      this.#assertValid(event)
    }
    const outcome = mempool.add(event, { kind: 'own', name: caller })
    if (outcome === 'full' || outcome === 'source-full' || outcome === 'actor-full') {
      const message = `the mempool takes no more events (${outcome}); try again in some seconds`
      throw new MolochError('MEMPOOL_FULL', message, { outcome })
    }
    await this.#ports.save([event])
    // Known by gossip or not: it is this node's now to see through.
    this.#ports.offer(event)
    if (outcome === 'added') this.#ports.added()
    return { id: event.id, status: 'pending' }
  }

  /** Asked before anything is checked: what would find no room is no work, and what nobody vouches for waits in no one's way. */
  #hasRoom(payload: Uint8Array, from: string): boolean {
    const { genesis, mempool } = this.#ports
    const voucher = namedValidator(genesis, payload)
    if (!this.#backlog.hasRoom(voucher)) return false
    return voucher !== undefined || mempool.hasRoom({ kind: 'unvouched', name: from })
  }

  /** Nobody is in a validator's lane for saying so: the voucher is checked first, here, and it is a signature. */
  async #check(payload: Uint8Array): Promise<Checked<EventsMessage>> {
    const claim = claimOf(this.#ports.genesis, payload)
    if (claim.kind === 'false') return refusal('BAD_VOUCHER')
    const voucher = claim.kind === 'true' ? claim.validator : undefined
    const checked = this.#backlog.add(voucher, payload.byteLength)
    try {
      return await this.#ports.checkMessage(payload, voucher === undefined ? 'unvouched' : 'vouched')
    } finally {
      checked()
    }
  }

  /**
   * Takes what there is room for, and forwards what is mostly news and found room that was free: so what a source can make
   * this node send on is bounded by its share, however often it says the same, and a flood ends at the first hop.
   */
  #takeGossiped({ events, voucher }: EventsMessage, from: string): Weighed<Taken> {
    const { isFinalized, mempool, added } = this.#ports
    const source = this.#sourceOf(voucher, from)
    let taken = false
    let bytes = 0
    let news = 0
    let waste = 0
    for (const event of events) {
      bytes += event.bytes.byteLength
      if (isFinalized(event.id)) {
        waste += KNOWN_WASTE
        continue
      }
      if (this.#timing(event) !== 'in-time') {
        waste += 1
        continue
      }
      const outcome = mempool.add(event, source)
      if (outcome === 'added' || outcome === 'displacing') taken = true
      waste += WASTE[outcome]
      if (outcome === 'added' || outcome === 'raised') news += event.bytes.byteLength
    }
    if (taken) added()
    return { verdict: 2 * news >= bytes ? 'accept' : 'ignore', waste: waste / events.length }
  }

  #sourceOf(voucher: number | undefined, from: string): Source {
    if (voucher === undefined) return { kind: 'unvouched', name: from }
    return { kind: 'vouched', name: this.#ports.genesis.validators.names[voucher] as string }
  }

  /**
   * Whether an event that is outside of the window is in a block.
   * @throws MolochError UNAVAILABLE: it may be, in one that is not here. Nobody should sign it again for being told no.
   */
  async #isFinal(event: CheckedEvent): Promise<boolean> {
    const fate = await this.#ports.fateOf(event)
    // One from the future would be in a block from the future.
    if (fate !== 'unknown' || this.#timing(event) !== 'past') return fate === 'final'
    const message =
      'this event is too old to be taken, and whether it is final cannot be told here: a block that may have it is not held'
    throw new MolochError('UNAVAILABLE', message)
  }

  /** @throws MolochError EVENT_ACTOR_UNKNOWN | EVENT_OUTSIDE_WINDOW | EVENT_BAD_SIGNATURE */
  #assertValid(event: CheckedEvent): void {
    const { genesis, verified, chainTime } = this.#ports
    if (!mayAct(genesis, event.actor)) {
      throw new MolochError('EVENT_ACTOR_UNKNOWN', `actor ${toHex(event.actor)} is not among the genesis's actors`)
    }
    if (this.#timing(event) !== 'in-time') {
      const message = describeOutside(event.timestamp, chainTime(), genesis.params)
      throw new MolochError('EVENT_OUTSIDE_WINDOW', message)
    }
    if (!verified.isSigned(event)) throw badSignature()
  }

  #timing({ timestamp }: CheckedEvent): EventTiming {
    return eventTiming(timestamp, this.#ports.chainTime(), this.#ports.genesis.params)
  }
}

function busy(): MolochError {
  return new MolochError(
    'BUSY',
    'validators accept events faster than this node can check them; try again in some seconds'
  )
}

function badSignature(): MolochError {
  return new MolochError('EVENT_BAD_SIGNATURE', 'the signature is not the actor’s over this body on this chain')
}
