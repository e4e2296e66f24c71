import { toHex } from '../codec/bytes.ts'
import type { ApiSource } from './source.ts'

const ID_BYTES = 32

/** Requests that wait until their event is final. */
export class FinalityWaiters {
  readonly #source: Pick<ApiSource, 'chain' | 'isPending'>
  readonly #limit: number
  readonly #waiting = new Map<string, Set<(height: number) => void>>()
  readonly #unsubscribe: () => void
  readonly #giveUp = new Set<() => void>()
  #closed = false
  #count = 0

  constructor(source: Pick<ApiSource, 'chain' | 'isPending' | 'onFinalized'>, limit: number) {
    this.#source = source
    this.#limit = limit
    this.#unsubscribe = source.onFinalized(({ height, eventIds }) => this.#finalized(height, eventIds))
  }

  /**
   * The height of the event's block; undefined if it is not final in time, the caller has gone, the node stops, or as
   * many wait already as may.
   */
  async wait(id: Uint8Array, milliseconds: number, gone: AbortSignal): Promise<number | undefined> {
    if (this.#count >= this.#limit || this.#closed) return this.#source.chain.heightOfEvent(id)
    this.#count++
    const key = toHex(id)
    let resolve: (height: number | undefined) => void = () => {}
    const final = new Promise<number | undefined>((done) => {
      resolve = done
    })
    const giveUp = () => resolve(undefined)
    const timer = setTimeout(giveUp, milliseconds)
    const listeners = this.#waiting.get(key) ?? new Set()
    this.#waiting.set(key, listeners.add(resolve))
    this.#giveUp.add(giveUp)
    gone.addEventListener('abort', giveUp, { once: true })
    try {
      // Asked after listening, so that a block in between is not missed. While it waits it is in none: nothing is read.
      const found = this.#source.isPending(id) ? undefined : await this.#source.chain.heightOfEvent(id)
      if (found !== undefined) return found
      return gone.aborted ? undefined : await final
    } finally {
      this.#count--
      clearTimeout(timer)
      this.#giveUp.delete(giveUp)
      gone.removeEventListener('abort', giveUp)
      listeners.delete(resolve)
      if (listeners.size === 0) this.#waiting.delete(key)
    }
  }

  /** Lets everybody go. */
  close(): void {
    this.#closed = true
    this.#unsubscribe()
    for (const giveUp of this.#giveUp) giveUp()
  }

  #finalized(height: number, eventIds: Uint8Array): void {
    if (this.#waiting.size === 0) return
    for (let at = 0; at + ID_BYTES <= eventIds.byteLength; at += ID_BYTES) {
      const listeners = this.#waiting.get(toHex(eventIds.subarray(at, at + ID_BYTES)))
      for (const resolve of listeners ?? []) resolve(height)
    }
  }
}
