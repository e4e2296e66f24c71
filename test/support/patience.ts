/**
 * How long a test waits before it calls something lost. A bound in milliseconds holds on an idle machine; here it is
 * stretched by as much as this machine is slower now, which is measured when the time is up and not before.
 */
import { createHash } from 'node:crypto'
import { availableParallelism, loadavg } from 'node:os'

/** CPU time of one measurement: a few slices of a scheduler that shares a core among many. */
const SAMPLE_MS = 20
/** What waits for several processes in turn is slowed down by each of them. */
const STAGES = 3

function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** How many times longer than on an idle machine work takes here now; 1 at the least. */
export function slowness(): number {
  const block = new Uint8Array(4096)
  const [wall, cpu] = [performance.now(), cpuMs()]
  while (cpuMs() - cpu < SAMPLE_MS) createHash('sha256').update(block).digest()
  const share = (performance.now() - wall) / (cpuMs() - cpu)
  // Worker threads of our own take CPU time too, and hide that others do: the load of all has no such gap.
  return Math.max(1, share, (loadavg()[0] ?? 0) / availableParallelism())
}

/** A bound that is `ms` on an idle machine. */
export class Patience {
  readonly #ms: number
  readonly #began = performance.now()
  #stretch = 1

  constructor(ms: number) {
    this.#ms = ms
  }

  /** Whether it is time to give up. */
  get isOver(): boolean {
    const elapsed = performance.now() - this.#began
    if (elapsed <= this.#ms * this.#stretch) return false
    this.#stretch = Math.max(this.#stretch, 1 + STAGES * (slowness() - 1))
    return elapsed > this.#ms * this.#stretch
  }

  toString(): string {
    return `${this.#ms} ms of an idle machine, ${Math.round(performance.now() - this.#began)} ms here`
  }
}
