import { type CheckedEvent, checkEvent } from '../chain/event.ts'
import type { Genesis } from '../chain/genesis.ts'
import type { Log } from '../log.ts'
import type { EventFate, SettledEvent } from '../store/mempool-store.ts'
import type { Stores } from './stores.ts'

/** Events that are looked up before what became of them is written: their bytes are in memory. */
const RUN_EVENTS = 256

export interface EventFatesParts {
  readonly genesis: Genesis
  readonly stores: Stores
  readonly log: Log
  /** Unix ms: blocks from then on were applied here, and took their events out of what waits. */
  readonly appliedSince: number
  /** Unix ms: all blocks from then on are held. */
  readonly heldSince: number
}

/** How many events each fate met, and how many older expired ones were let go for want of room. */
type FateCount = Record<EventFate | 'dropped', number>

/**
 * What became of acknowledged events whose window has passed. A block that holds an event is within a window of it
 * (protocol §3): if all of those are held and none has it, it expired. If one of them is in history that is not held, as
 * after a warp, nobody here knows; then the event is kept apart, and looked at again when history is there.
 */
export class EventFates {
  readonly #genesis: Genesis
  readonly #stores: Stores
  readonly #log: Log
  readonly #appliedSince: number
  #heldSince: number
  /** Unix ms: the newest of those that are kept apart needs all blocks from then on. */
  #wanted: number

  constructor({ genesis, stores, log, appliedSince, heldSince }: EventFatesParts) {
    this.#genesis = genesis
    this.#stores = stores
    this.#log = log
    this.#appliedSince = appliedSince
    this.#heldSince = heldSince
    this.#wanted = stores.mempool.passed.size > 0 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY
  }

  /** Takes events whose window has passed out of those that wait. @throws MolochError STORE_FAILED */
  async settle(events: readonly CheckedEvent[]): Promise<void> {
    const count = { final: 0, expired: 0, unknown: 0, dropped: 0 }
    for (let at = 0; at < events.length; at += RUN_EVENTS) {
      await this.#settle(events.slice(at, at + RUN_EVENTS), this.#appliedSince, count)
    }
    this.#report(count)
  }

  /** All blocks from `heldSince` on, Unix ms, are held now: settles those whose fate that tells. @throws MolochError STORE_FAILED */
  async historyHeld(heldSince: number): Promise<void> {
    this.#heldSince = heldSince
    if (this.#wanted < heldSince) return
    this.#wanted = Number.NEGATIVE_INFINITY
    const count = { final: 0, expired: 0, unknown: 0, dropped: 0 }
    let run: CheckedEvent[] = []
    for await (const { bytes } of this.#stores.mempool.passed.oldestFirst()) {
      const event = checkEvent(bytes, this.#genesis.params)
      const since = this.#since(event)
      if (since < heldSince) this.#wanted = Math.max(this.#wanted, since)
      else run.push(event)
      if (run.length < RUN_EVENTS) continue
      await this.#settle(run, Number.POSITIVE_INFINITY, count)
      run = []
    }
    await this.#settle(run, Number.POSITIVE_INFINITY, count)
    this.#report(count)
  }

  /** @param reliable Unix ms: what a block from then on took would not be among them */
  async #settle(events: readonly CheckedEvent[], reliable: number, count: FateCount): Promise<void> {
    const settled: SettledEvent[] = []
    for (const event of events) {
      const fate = this.#since(event) >= reliable ? 'expired' : await this.#fateOf(event)
      if (fate === 'unknown') this.#wanted = Math.max(this.#wanted, this.#since(event))
      settled.push({ id: event.id, bytes: event.bytes, fate })
    }
    const more = await this.#stores.mempool.settle(settled)
    for (const fate of ['final', 'expired', 'unknown', 'dropped'] as const) count[fate] += more[fate]
  }

  async #fateOf(event: CheckedEvent): Promise<EventFate> {
    if ((await this.#stores.eventIndex.find(event.id)) !== undefined) return 'final'
    return this.#since(event) >= this.#heldSince ? 'expired' : 'unknown'
  }

  /** The least timestamp of a block that may hold it. */
  #since({ fields }: CheckedEvent): number {
    return fields.timestamp - this.#genesis.params.eventWindowMs
  }

  #report({ final, expired, unknown, dropped }: FateCount): void {
    const log = this.#log
    if (final > 0) log.info({ events: final }, 'events accepted here are final, in blocks that came as history')
    if (expired > 0) log.warn({ events: expired }, 'events accepted here expired; they are kept to be signed again')
    if (unknown > 0) {
      const why = 'whether a block took them is in history that is not held yet'
      log.warn({ events: unknown }, `the window of events accepted here has passed, and ${why}: they are kept`)
    }
    if (dropped > 0) log.error({ events: dropped }, 'no room for more expired events: the oldest are gone')
  }
}
