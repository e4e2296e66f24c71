import type { HeightRange } from './height-gaps.ts'

interface Outage {
  readonly ms: number
  /** The heights that became final in it lie here. */
  readonly from: number
  readonly to: number
}

/** Outages that are remembered: their gaps are reported soon after them. */
const MAX_OUTAGES = 64

/** When there was no peer at all, and which heights became final meanwhile: pure. Times are monotonic ms. */
export class Outages {
  #left: { readonly at: number; readonly final: number } | undefined
  #past: Outage[] = []

  /** Since when there is no peer; undefined: there is one, or there never was. */
  get since(): number | undefined {
    return this.#left?.at
  }

  /** The last peer is gone. @param final the highest height known to be final */
  left(now: number, final: number): void {
    this.#left ??= { at: now, final }
  }

  /** @param final the highest height that the peer showed to be final @returns how long it was, if there was an outage */
  rejoined(now: number, final: number): number | undefined {
    if (this.#left === undefined) return undefined
    const ms = now - this.#left.at
    // One more: until its mesh is made, a new peer sends nothing.
    this.#past = [...this.#past, { ms, from: this.#left.final + 1, to: Math.max(final, this.#left.final) + 1 }]
    this.#past = this.#past.slice(-MAX_OUTAGES)
    this.#left = undefined
    return ms
  }

  /** How long there was no peer while heights of the gap became final; undefined: there was one all the time. */
  within({ from, to }: HeightRange): number | undefined {
    const inside = this.#past.filter((outage) => outage.from <= to && from <= outage.to)
    return inside.length === 0 ? undefined : inside.reduce((sum, { ms }) => sum + ms, 0)
  }
}
