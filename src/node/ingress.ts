/**
 * How an event gets in: from this node's API (fsynced before it is acknowledged, then offered to the validators) or
 * from a peer's gossip (checked, held, forwarded). Both ways end in the mempool; neither changes anything on failure.
 */
import { type CheckedEvent, checkEvent, verifyEventSignature } from '../chain/event.ts'
import type { Genesis } from '../chain/genesis.ts'
import type { Mempool } from '../chain/mempool.ts'
import { toHex } from '../codec/bytes.ts'
import { assertCanonical } from '../codec/canonical.ts'
import { splitEvents } from '../codec/raw.ts'
import { EVENTS } from '../codec/rules.ts'
import { MolochError } from '../error.ts'
import type { Verdict } from '../network/types.ts'

export type SubmitStatus = 'pending' | 'finalized'

export interface Submitted {
  readonly id: Uint8Array
  readonly status: SubmitStatus
}

export interface IngressPorts {
  readonly genesis: Genesis
  readonly mempool: Mempool
  /** Whether the event was finalized within the last two windows: older ones are refused for their time. */
  readonly isFinalized: (id: Uint8Array) => boolean
  /** Resolves once the events are fsynced. */
  readonly save: (events: readonly CheckedEvent[]) => Promise<void>
  /** Takes care that the event reaches the validators. */
  readonly offer: (event: CheckedEvent) => void
  /** Called after events came into the mempool: a proposer may be waiting for the first. */
  readonly added: () => void
  readonly now: () => number
}

/** More events than this in one gossip message are refused unread: a decode flood. */
const GOSSIP_MAX_EVENTS = 2048

export class EventIngress {
  readonly #ports: IngressPorts

  constructor(ports: IngressPorts) {
    this.#ports = ports
  }

  /**
   * Takes one SignedEvent from an API caller. It is on disk when this resolves.
   * @param source who the quota is counted against, e.g. `api:127.0.0.1`
   * @throws MolochError with an EventFailureCode, or MEMPOOL_FULL
   */
  async submit(bytes: Uint8Array, source: string): Promise<Submitted> {
    const event = this.#check(bytes)
    const { mempool } = this.#ports
    if (this.#ports.isFinalized(event.id)) return { id: event.id, status: 'finalized' }
    const outcome = mempool.add(event, { source })
    if (outcome !== 'added' && outcome !== 'known') {
      throw new MolochError(
        'MEMPOOL_FULL',
        `the mempool takes no more events (${outcome}); try again in some seconds`,
        {
          outcome
        }
      )
    }
    await this.#ports.save([event])
    if (outcome === 'added') {
      this.#ports.offer(event)
      this.#ports.added()
    }
    return { id: event.id, status: 'pending' }
  }

  /** A message of the `events` topic. Only what is malformed or falsely signed is charged to the peer that sent it. */
  async gossiped(payload: Uint8Array, from: string): Promise<Verdict> {
    let fresh = 0
    try {
      assertCanonical(EVENTS, payload)
      const parts = splitEvents(payload)
      if (parts.length === 0 || parts.length > GOSSIP_MAX_EVENTS) return 'reject'
      for (const bytes of parts) {
        const event = checkEvent(bytes, this.#ports.genesis.params)
        if (this.#ports.mempool.has(event.id) || this.#ports.isFinalized(event.id)) continue
        if (this.#outsideWindow(event) || !this.#mayPost(event)) continue
        if (!verifyEventSignature(this.#ports.genesis.hash, event)) return 'reject'
        // A view on the whole gossip message would keep all of it alive as long as one of its events waits.
        if (this.#ports.mempool.add(detached(event, this.#ports.genesis), { source: from }) === 'added') fresh++
      }
    } catch (error) {
      if (error instanceof MolochError) return 'reject'
      throw error
    }
    if (fresh === 0) return 'ignore'
    this.#ports.added()
    return 'accept'
  }

  #check(bytes: Uint8Array): CheckedEvent {
    const { genesis } = this.#ports
    const event = checkEvent(bytes, genesis.params)
    if (!this.#mayPost(event)) {
      throw new MolochError('EVENT_ACTOR_UNKNOWN', `actor ${toHex(event.actor)} is not among the genesis's actors`)
    }
    if (this.#outsideWindow(event)) {
      const away = Math.abs(this.#ports.now() - event.fields.timestamp)
      throw new MolochError(
        'EVENT_OUTSIDE_WINDOW',
        `timestamp ${event.fields.timestamp} is ${away} ms from now; at most ${genesis.params.eventWindowMs} is accepted`
      )
    }
    if (!verifyEventSignature(genesis.hash, event)) {
      throw new MolochError('EVENT_BAD_SIGNATURE', 'the signature is not the actor’s over this body on this chain')
    }
    return event
  }

  #mayPost(event: CheckedEvent): boolean {
    return this.#ports.genesis.actors?.has(toHex(event.actor)) ?? true
  }

  #outsideWindow(event: CheckedEvent): boolean {
    return Math.abs(this.#ports.now() - event.fields.timestamp) > this.#ports.genesis.params.eventWindowMs
  }
}

function detached(event: CheckedEvent, genesis: Genesis): CheckedEvent {
  return checkEvent(event.bytes.slice(), genesis.params)
}
