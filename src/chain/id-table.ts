import type { IdLog, IdWords } from './id-log.ts'

/**
 * A set of the ids of a log, by their places: open addressing with linear probing, and the id itself compared, so it
 * is exact. In 256 shards by the id's first byte, each with a table of its own: growing copies a 256th of the places
 * at a time and never an id.
 *
 * Ids are SHA-256 results, so their own words spread them. Whoever would make long probes has to grind and sign about
 * as many events as the table has slots for every one of them.
 */
const SHARDS = 256
const MIN_SLOTS = 16
/** Above this share of used slots a shard doubles: 2 probes on average for an id that is not there. */
const MAX_LOAD = 0.6
/** Below this share it halves, so that a flood's memory comes back. */
const MIN_LOAD = 0.1

interface Shard {
  /** Place + 1; 0 is free. The number of slots is a power of two. */
  slots: Uint32Array
  used: number
}

export class IdTable {
  readonly #log: IdLog
  readonly #shards: Shard[] = Array.from({ length: SHARDS }, () => ({ slots: new Uint32Array(MIN_SLOTS), used: 0 }))
  #size = 0
  #bytes = SHARDS * MIN_SLOTS * 4

  constructor(log: IdLog) {
    this.#log = log
  }

  get size(): number {
    return this.#size
  }

  get bytes(): number {
    return this.#bytes
  }

  has(id: IdWords): boolean {
    const { slots } = this.#shardOf(id)
    return slots[this.#find(slots, id)] !== 0
  }

  /** Adds the id that the log has at `place`; if it is in the set with another place, that is replaced. */
  put(id: IdWords, place: number): void {
    const shard = this.#shardOf(id)
    let slot = this.#find(shard.slots, id)
    if (shard.slots[slot] === 0) {
      this.#size++
      shard.used++
      if (shard.used > shard.slots.length * MAX_LOAD) {
        this.#resize(shard, shard.slots.length * 2)
        slot = this.#find(shard.slots, id)
      }
    }
    shard.slots[slot] = place + 1
  }

  /**
   * Removes the id unless it is in the set with another place. Call it while the log still reads at that place, or
   * with the id that it had there.
   */
  remove(id: IdWords, place: number): void {
    const shard = this.#shardOf(id)
    const slot = this.#findPlace(shard.slots, id, place)
    if (slot === undefined) return
    this.#close(shard.slots, slot)
    this.#size--
    shard.used--
    if (shard.slots.length > MIN_SLOTS && shard.used < shard.slots.length * MIN_LOAD) {
      this.#resize(shard, shard.slots.length / 2)
    }
  }

  #shardOf(id: IdWords): Shard {
    return this.#shards[(id[0] as number) & (SHARDS - 1)] as Shard
  }

  /** The slot that has the id, or the free one where it would go. */
  #find(slots: Uint32Array, id: IdWords): number {
    const mask = slots.length - 1
    let slot = (id[1] as number) & mask
    for (; ; slot = (slot + 1) & mask) {
      const entry = slots[slot] as number
      if (entry === 0 || this.#log.holds(entry - 1, id)) return slot
    }
  }

  #findPlace(slots: Uint32Array, id: IdWords, place: number): number | undefined {
    const mask = slots.length - 1
    let slot = (id[1] as number) & mask
    for (; ; slot = (slot + 1) & mask) {
      const entry = slots[slot] as number
      if (entry === 0) return undefined
      if (entry === place + 1) return slot
    }
  }

  /** Frees a slot and moves later ones of its run back, so that no probe stops short of them: no tombstones. */
  #close(slots: Uint32Array, freed: number): void {
    const mask = slots.length - 1
    let hole = freed
    for (let slot = (hole + 1) & mask; slots[slot] !== 0; slot = (slot + 1) & mask) {
      const entry = slots[slot] as number
      const home = this.#log.word(entry - 1, 1) & mask
      // It may move unless its home lies after the hole, up to where it is.
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue
      slots[hole] = entry
      hole = slot
    }
    slots[hole] = 0
  }

  #resize(shard: Shard, length: number): void {
    const { slots: old } = shard
    const slots = new Uint32Array(length)
    const mask = length - 1
    for (const entry of old) {
      if (entry === 0) continue
      let slot = this.#log.word(entry - 1, 1) & mask
      while (slots[slot] !== 0) slot = (slot + 1) & mask
      slots[slot] = entry
    }
    shard.slots = slots
    this.#bytes += (slots.length - old.length) * 4
  }
}
