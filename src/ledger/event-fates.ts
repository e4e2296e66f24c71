import { type CheckedEvent, checkEvent } from '../chain/event.ts'
import type { Genesis } from '../chain/genesis.ts'
import { fromHex, toHex } from '../codec/bytes.ts'
import type { Log } from '../log.ts'
import { corrupt } from '../store/errors.ts'
import type { EventFate, SettledEvent } from '../store/mempool-store.ts'
import type { Stores } from './stores.ts'
import type { Turns } from './turns.ts'

/** Events that are settled in one turn: their bytes are in memory, and blocks wait meanwhile. */
const RUN_EVENTS = 256

export interface EventFatesParts {
  readonly genesis: Genesis
  readonly stores: Stores
  readonly log: Log
  /** Blocks are applied in these. */
  readonly turns: Turns
  /**
   * Unix ms, of the tip: blocks from then on took their events out of what waits. Those before may have come as history,
   * which does not, even if all of it was there when the ledger was opened.
   */
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
  readonly #turns: Turns
  readonly #appliedSince: number
  #heldSince: number
  /** Ids of those that are kept apart, in hex; each needs all blocks from then on, Unix ms. */
  readonly #unknown = new Map<string, number>()

  private constructor({ genesis, stores, log, turns, appliedSince, heldSince }: EventFatesParts) {
    this.#genesis = genesis
    this.#stores = stores
    this.#log = log
    this.#turns = turns
    this.#appliedSince = appliedSince
    this.#heldSince = heldSince
  }

  /** Settles what a crash between the history and what it says of events left. @throws MolochError with a StoreErrorCode */
  static async open(parts: EventFatesParts): Promise<EventFates> {
    const fates = new EventFates(parts)
    for await (const { bytes } of parts.stores.mempool.passed.oldestFirst()) {
      const event = checkEvent(bytes, parts.genesis.params)
      fates.#unknown.set(toHex(event.id), fates.#since(event))
    }
    await fates.historyHeld(parts.heldSince)
    return fates
  }

  /**
   * Whether an event, whoever accepted it, is in a block: `expired` if it is in none and can get in none any more; `unknown`
   * if a block that may have it is not held, or is yet to come.
   * @param tipTime timestamp of the tip, Unix ms
   */
  async fateOf(event: CheckedEvent, tipTime: number): Promise<EventFate> {
    const fate = await this.#fateOf(event, this.#heldSince)
    const passed = event.fields.timestamp + this.#genesis.params.eventWindowMs <= tipTime
    return fate === 'expired' && !passed ? 'unknown' : fate
  }

  /** Takes events whose window has passed out of those that wait. @throws MolochError STORE_FAILED */
  async settle(events: readonly CheckedEvent[]): Promise<void> {
    const count = { final: 0, expired: 0, unknown: 0, dropped: 0 }
    for (let at = 0; at < events.length && !this.#turns.isClosed; at += RUN_EVENTS) {
      const run = events.slice(at, at + RUN_EVENTS)
      // In turn: what a block on its way to the disk takes is not expired.
      await this.#turns.take(() => this.#settle(run, this.#appliedSince, count))
    }
    this.#report(count)
  }

  /** All blocks from `heldSince` on, Unix ms, are held now: settles those whose fate that tells. @throws MolochError STORE_FAILED */
  async historyHeld(heldSince: number): Promise<void> {
    this.#heldSince = heldSince
    const count = { final: 0, expired: 0, unknown: 0, dropped: 0 }
    let some = true
    while (some && !this.#turns.isClosed) some = await this.#turns.take(() => this.#settleKnown(count))
    this.#report(count)
  }

  /** @returns whether there were any */
  async #settleKnown(count: FateCount): Promise<boolean> {
    const run: CheckedEvent[] = []
    for (const [id, since] of this.#unknown) {
      if (since < this.#heldSince) continue
      const bytes = await this.#stores.mempool.passed.get(fromHex(id) as Uint8Array)
      if (bytes === undefined) throw corrupt(this.#stores.database.path, `the passed event ${id} is missing`)
      if (run.push(checkEvent(bytes, this.#genesis.params)) === RUN_EVENTS) break
    }
    await this.#settle(run, Number.POSITIVE_INFINITY, count)
    return run.length > 0
  }

  /** @param reliable Unix ms: what a block from then on took would not be among them */
  async #settle(events: readonly CheckedEvent[], reliable: number, count: FateCount): Promise<void> {
    // Before any of them is looked up: a block that comes after that is not found.
    const heldSince = this.#heldSince
    const settled: SettledEvent[] = []
    for (const event of events) {
      const since = this.#since(event)
      const fate = since >= reliable ? 'expired' : await this.#fateOf(event, heldSince)
      settled.push({ id: event.id, bytes: event.bytes, fate })
    }
    const { passed } = this.#stores.mempool
    const more = await this.#stores.mempool.settle(settled)
    for (const event of events) {
      const id = toHex(event.id)
      if (passed.has(id)) this.#unknown.set(id, this.#since(event))
      else this.#unknown.delete(id)
    }
    for (const fate of ['final', 'expired', 'unknown', 'dropped'] as const) count[fate] += more[fate]
  }

  async #fateOf(event: CheckedEvent, heldSince: number): Promise<EventFate> {
    if ((await this.#stores.eventIndex.find(event.id)) !== undefined) return 'final'
    return this.#since(event) >= heldSince ? 'expired' : 'unknown'
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
