import { type CheckedEvent, verifyEventSignature } from './event.ts'
import { HASH_BYTES } from './merkle.ts'

/**
 * Which events were found truly signed, so that the dear check is made once: when an event comes in, and not again in each
 * block that is proposed with it. An event's id covers its actor, signature and body. Whoever has that id has that event,
 * and only `isSigned` puts one in, after the check: so a hit is as good as the check, and nobody can forge one.
 *
 * Bounded: each id has eight places where it may be, taken in turn, so the oldest go first. What is forgotten is checked
 * again. One who grinds ids to push out others' pays a signature for each, and costs us one each.
 *
 * The memory is shared: the main loop and the verify threads look up and add without asking each other. A slot has a stamp
 * that is odd while it is written and another one after; who reads the same even stamp before and after an id has read one
 * id, not parts of two. Whoever finds a set taken by another writer leaves it: it is a cache.
 */
const WAYS = 8
const WORDS = HASH_BYTES / 4
/** Its stamp, then the id. */
const SLOT_WORDS = 1 + WORDS
/** Taken by a writer or not, the next place, the slots. */
const SET_WORDS = 2 + WAYS * SLOT_WORDS
const COUNTERS = { checked: 0, spared: 1 } as const
const HEADER_WORDS = 2
/** Some 38 MB: a mempool that is larger than this takes gigabytes. */
const MAX_EVENTS = 2 ** 20

export class VerifiedEvents {
  /** For the threads that share it. */
  readonly memory: SharedArrayBuffer
  readonly #genesisHash: Uint8Array
  readonly #words: Int32Array
  readonly #mask: number

  /** @param memory of another one for the same chain, or what `memoryFor` made */
  constructor(genesisHash: Uint8Array, memory: SharedArrayBuffer) {
    this.memory = memory
    this.#genesisHash = genesisHash
    this.#words = new Int32Array(memory)
    this.#mask = (this.#words.length - HEADER_WORDS) / SET_WORDS - 1
  }

  /** Room for twice as many events as wait at most, so that those that wait stay while others come and go. */
  static memoryFor(waiting: number): SharedArrayBuffer {
    const sets = 2 ** Math.ceil(Math.log2(Math.max(WAYS, Math.min(2 * waiting, MAX_EVENTS)) / WAYS))
    return new SharedArrayBuffer(4 * (HEADER_WORDS + sets * SET_WORDS))
  }

  /** Signatures that were checked because they were not known. */
  get checked(): number {
    return Atomics.load(this.#words, COUNTERS.checked)
  }

  /** Signatures that were known. */
  get spared(): number {
    return Atomics.load(this.#words, COUNTERS.spared)
  }

  /** @param id 32 bytes at `at`: of an event of which nothing else has to be known */
  has(id: Uint8Array, at = 0): boolean {
    loadId(id, at)
    const known = this.#find(this.#setOf()) >= 0
    if (known) Atomics.add(this.#words, COUNTERS.spared, 1)
    return known
  }

  /** Whether the event's signature is its actor's over its body on this chain. */
  isSigned(event: CheckedEvent): boolean {
    if (this.has(event.id)) return true
    Atomics.add(this.#words, COUNTERS.checked, 1)
    if (!verifyEventSignature(this.#genesisHash, event)) return false
    this.#add(event.id)
    return true
  }

  #add(eventId: Uint8Array): void {
    loadId(eventId, 0)
    const words = this.#words
    const set = this.#setOf()
    if (Atomics.compareExchange(words, set, 0, 1) !== 0) return
    const place = Atomics.load(words, set + 1)
    Atomics.store(words, set + 1, (place + 1) % WAYS)
    const slot = set + 2 + place * SLOT_WORDS
    Atomics.add(words, slot, 1)
    for (let i = 0; i < WORDS; i++) Atomics.store(words, slot + 1 + i, id[i] as number)
    Atomics.add(words, slot, 1)
    Atomics.store(words, set, 0)
  }

  #setOf(): number {
    return HEADER_WORDS + ((id[0] as number) & this.#mask) * SET_WORDS
  }

  /** The slot that has the id; −1 if none has. */
  #find(set: number): number {
    const words = this.#words
    const end = set + SET_WORDS
    for (let slot = set + 2; slot < end; slot += SLOT_WORDS) {
      const stamp = Atomics.load(words, slot)
      // Never used, or being written.
      if (stamp === 0 || (stamp & 1) !== 0) continue
      let i = 0
      while (i < WORDS && Atomics.load(words, slot + 1 + i) === id[i]) i++
      if (i === WORDS && Atomics.load(words, slot) === stamp) return slot
    }
    return -1
  }
}

/** The id that is looked at, as words. Reused: nothing yields between loading and using it. */
const id = new Int32Array(WORDS)
const idBytes = new Uint8Array(id.buffer)

function loadId(bytes: Uint8Array, at: number): void {
  for (let i = 0; i < HASH_BYTES; i++) idBytes[i] = bytes[at + i] as number
}
