import { HASH_BYTES } from './merkle.ts'

/** Folding so many events takes a millisecond: a key that all events have must not hold up the loop. */
const MAX_RUN = 1000
/** Bits of a key hash that are compared while sorting, at most: 6 bytes. */
const LEAD = 2 ** 48

/**
 * Events by their key in one index, for folding many blocks at once: runs of events of one key, each in the order of the
 * blocks, so that a key is looked up once and its neighbours in the trie come one after another. Keys that share some 37
 * bits may come in any order, and a key in several runs.
 */
export class KeyRuns {
  readonly keyHashes: Uint8Array
  readonly eventIds: Uint8Array
  readonly #first: number
  readonly #step: number
  /** Numbers of events. */
  readonly #order: Uint32Array
  /** Where in `#order` each run begins, and the end of the last. */
  readonly #starts: Uint32Array

  /**
   * @param keyHashes of each event at `first`, `first + step`, …
   * @param eventIds of each event, one after another
   */
  constructor(keyHashes: Uint8Array, first: number, step: number, eventIds: Uint8Array) {
    this.keyHashes = keyHashes
    this.eventIds = eventIds
    this.#first = first
    this.#step = step
    this.#order = inOrder(keyHashes, first, step, eventIds.byteLength / HASH_BYTES)
    this.#starts = this.#cut()
  }

  /** How many runs. */
  get count(): number {
    return this.#starts.length - 1
  }

  /** Where the key hash of a run is. */
  keyAt(run: number): number {
    return this.#keyOf(this.firstEvent(run))
  }

  /** The number of the first event of a run. */
  firstEvent(run: number): number {
    return this.#order[this.#starts[run] as number] as number
  }

  /** The numbers of the events of a run. */
  eventsOf(run: number): Uint32Array {
    return this.#order.subarray(this.#starts[run], this.#starts[run + 1])
  }

  /** The run before which at least `events` events come after the beginning of run `from`; at most `count`. */
  after(from: number, events: number): number {
    const enough = (this.#starts[from] as number) + events
    let run = from
    while (run < this.count && (this.#starts[run] as number) < enough) run++
    return run
  }

  #keyOf(event: number): number {
    return this.#first + event * this.#step
  }

  #cut(): Uint32Array {
    const order = this.#order
    const starts = new Uint32Array(order.length + 1)
    let runs = 0
    for (let i = 0; i < order.length; i++) {
      const begun = i > 0 && i - (starts[runs - 1] as number) < MAX_RUN
      if (!begun || !this.#haveOneKey(order[i - 1] as number, order[i] as number)) starts[runs++] = i
    }
    starts[runs] = order.length
    return starts.slice(0, runs + 1)
  }

  #haveOneKey(one: number, other: number): boolean {
    const at = this.#keyOf(one)
    const to = this.#keyOf(other)
    for (let i = 0; i < HASH_BYTES; i++) if (this.keyHashes[at + i] !== this.keyHashes[to + i]) return false
    return true
  }
}

/** Sorts numbers that the runtime sorts without calling back: the first bits of each key hash, and below them the event's number. */
function inOrder(keyHashes: Uint8Array, first: number, step: number, count: number): Uint32Array {
  const numbers = Math.max(2 ** 5, 2 ** Math.ceil(Math.log2(count)))
  const cut = (LEAD * numbers) / 2 ** 53
  const view = new DataView(keyHashes.buffer, keyHashes.byteOffset, keyHashes.byteLength)
  const sortable = new Float64Array(count)
  for (let event = 0; event < count; event++) {
    const at = first + event * step
    const lead = view.getUint32(at) * 2 ** 16 + view.getUint16(at + 4)
    sortable[event] = Math.floor(lead / cut) * numbers + event
  }
  sortable.sort()
  const order = new Uint32Array(count)
  for (let i = 0; i < count; i++) order[i] = (sortable[i] as number) % numbers
  return order
}
