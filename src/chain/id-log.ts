import { HASH_BYTES } from './merkle.ts'

/**
 * 32-byte ids in the order they came, in pages: growing copies nothing, and dropping the oldest frees whole pages. An
 * id keeps its place as long as it is here; places are used again.
 */
const PAGE_BITS = 12
const PAGE_IDS = 1 << PAGE_BITS
const PAGE_MASK = PAGE_IDS - 1
const WORDS = HASH_BYTES / 4
const PAGE_BYTES = PAGE_IDS * HASH_BYTES

/** An id as words of the machine's order, which is enough to compare and to spread them. */
export type IdWords = Uint32Array

export class IdLog {
  readonly #pages: (Uint32Array | undefined)[] = []
  readonly #freeNumbers: number[] = []
  /** Page numbers, the oldest first. Few: shifting them costs nothing beside the ids in a page. */
  readonly #order: number[] = []
  /** Into the oldest page: the oldest id. */
  #first = 0
  /** Into the newest page: one past the newest id. */
  #end = PAGE_IDS

  get bytes(): number {
    return this.#order.length * PAGE_BYTES
  }

  /** Adds an id and says its place. */
  push(id: IdWords): number {
    if (this.#end === PAGE_IDS) this.#addPage()
    const number = this.#order[this.#order.length - 1] as number
    const offset = this.#end++
    ;(this.#pages[number] as Uint32Array).set(id, offset * WORDS)
    return number * PAGE_IDS + offset
  }

  /** Drops the oldest id and copies it to `into`; there must be one. Returns the place it had. */
  shift(into: IdWords): number {
    const number = this.#order[0] as number
    const offset = this.#first++
    const place = number * PAGE_IDS + offset
    this.read(place, into)
    const isLastPage = this.#order.length === 1
    if (this.#first === (isLastPage ? this.#end : PAGE_IDS)) {
      this.#dropPage()
      if (isLastPage) this.#end = PAGE_IDS
    }
    return place
  }

  read(place: number, into: IdWords): void {
    const page = this.#pages[place >>> PAGE_BITS] as Uint32Array
    const at = (place & PAGE_MASK) * WORDS
    for (let i = 0; i < WORDS; i++) into[i] = page[at + i] as number
  }

  word(place: number, index: number): number {
    return (this.#pages[place >>> PAGE_BITS] as Uint32Array)[(place & PAGE_MASK) * WORDS + index] as number
  }

  holds(place: number, id: IdWords): boolean {
    const page = this.#pages[place >>> PAGE_BITS] as Uint32Array
    const at = (place & PAGE_MASK) * WORDS
    for (let i = 0; i < WORDS; i++) if (page[at + i] !== id[i]) return false
    return true
  }

  #addPage(): void {
    const number = this.#freeNumbers.pop() ?? this.#pages.length
    this.#pages[number] = new Uint32Array(PAGE_IDS * WORDS)
    this.#order.push(number)
    this.#end = 0
  }

  #dropPage(): void {
    const number = this.#order.shift() as number
    this.#pages[number] = undefined
    this.#freeNumbers.push(number)
    this.#first = 0
  }
}
