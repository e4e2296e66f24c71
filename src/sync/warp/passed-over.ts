import type { CheckedManifest } from '../../chain/snapshot-manifest.ts'
import { toHex } from '../../codec/bytes.ts'

/** Then it is taken like any other again: what kept its chunks back may be over. */
const PASSED_OVER_MS = 300_000

interface Entry {
  readonly height: number
  readonly until: number
  readonly times: number
  readonly isBegun: boolean
}

/**
 * Snapshots that are offered and do not come: else one peer that offers an old one and brings nothing would hold up a
 * warp for good, for the one that is half here is preferred. Bounded by the patience that each entry costs.
 */
export class PassedOver {
  readonly #entries = new Map<string, Entry>()
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  /** @param isBegun whether some of its chunks are here */
  add({ id, height }: CheckedManifest, isBegun: boolean): void {
    const key = toHex(id)
    const times = (this.#entries.get(key)?.times ?? 0) + 1
    this.#entries.set(key, { height, until: this.#now() + PASSED_OVER_MS, times, isBegun })
  }

  has({ id }: CheckedManifest): boolean {
    return this.#now() < (this.#entries.get(toHex(id))?.until ?? 0)
  }

  /** Whether one that is half here is worth to be waited for once more before all blocks are synced instead. */
  get isAwaited(): boolean {
    return this.#current().some(({ isBegun, times }) => isBegun && times === 1)
  }

  /** For people; empty: nothing is passed over. */
  get words(): string {
    return this.#current()
      .map(({ height }) => `no chunk of the snapshot of block ${height} comes from who offer it`)
      .join('; ')
  }

  #current(): Entry[] {
    return [...this.#entries.values()].filter(({ until }) => this.#now() < until)
  }
}
