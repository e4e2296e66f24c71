import type { HeightRange } from '../../ledger/history.ts'
import { endOf } from '../downloads.ts'
import type { RequestEnd } from '../events.ts'
import type { Fetch } from '../types.ts'

/**
 * What one peer answers for a range of heights, a frame at a time. What the answer throws is kept as its end, and what
 * its reader throws goes the reader's way: a failure of our checker or ledger never passes for one of the peer.
 */
export class Answer implements AsyncIterable<Uint8Array[]> {
  readonly #ask: () => AsyncIterable<Uint8Array[]>
  #at: number
  #end: RequestEnd | undefined

  constructor(fetch: Fetch, peer: string, { from, to }: HeightRange, signal: AbortSignal) {
    this.#ask = () => fetch(peer, { start: from, count: to - from + 1 }, signal)
    this.#at = from
  }

  /** Of the frame that is being read; after the last one: of what did not come. */
  get at(): number {
    return this.#at
  }

  /** Why it broke off; undefined: it did not. */
  get end(): RequestEnd | undefined {
    return this.#end
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array[], void, undefined> {
    try {
      for await (const frames of this.#ask()) {
        yield frames
        this.#at += frames.length
      }
    } catch (error) {
      this.#end = endOf(error, this.#at)
    }
  }
}
