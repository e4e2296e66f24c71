import { MAX_PAGE_BYTES } from './limits.ts'

/** A list that is written as it grows, so that its size is known: items are added until one does not fit. */
export class JsonPage {
  readonly #parts: string[] = []
  readonly #maxBytes: number
  #bytes = 0

  constructor(maxBytes = MAX_PAGE_BYTES) {
    this.#maxBytes = maxBytes
  }

  get length(): number {
    return this.#parts.length
  }

  get bytes(): number {
    return this.#bytes
  }

  /** @returns false if there is no room for it: the page ends before it. There is for the first, whatever its size */
  add(item: object): boolean {
    const text = JSON.stringify(item)
    const bytes = Buffer.byteLength(text) + 1
    if (this.#parts.length > 0 && this.#bytes + bytes > this.#maxBytes) return false
    this.#parts.push(text)
    this.#bytes += bytes
    return true
  }

  /** The JSON array. */
  toString(): string {
    return `[${this.#parts.join(',')}]`
  }
}

/**
 * What a handler returns whose answer is JSON already: an object with one member more. By its type it is nothing, for a route's
 * schema describes objects that are still to be written.
 */
export function writtenJson(
  reply: { type(name: string): unknown },
  lists: Readonly<Record<string, JsonPage>>,
  rest: object
): never {
  reply.type('application/json')
  const members = Object.entries(lists).map(([name, page]) => `${JSON.stringify(name)}:${page},`)
  return `{${members.join('')}${JSON.stringify(rest).slice(1)}` as never
}
