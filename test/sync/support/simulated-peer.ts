import type { RequestEnd } from '../../../src/sync/events.ts'

/** What a simulated peer does. Only a liar, a late liar and a greedy one do what no honest peer does. */
export const BEHAVIOURS = [
  'honest',
  'slow',
  'silent',
  'short',
  'empty',
  'limited',
  'unavailable',
  'resetting',
  'liar',
  'late-liar',
  'greedy',
  'leaving',
  'pruned'
] as const

export type Behaviour = (typeof BEHAVIOURS)[number]

/** How a peer answers one request: after `delay` it gives `give` blocks at its speed, and then ends so. */
export interface Answer {
  readonly delay: number
  readonly give: number
  readonly end: RequestEnd
}

export class SimulatedPeer {
  readonly id: string
  readonly behaviour: Behaviour
  readonly bytesPerMs: number
  readonly earliest: number
  readonly #latency: number
  readonly #random: () => number
  here = false

  constructor(behaviour: Behaviour, index: number, blocks: number, random: () => number) {
    this.id = `${behaviour}-${index}`
    this.behaviour = behaviour
    this.bytesPerMs = behaviour === 'slow' ? 5 + random() * 10 : 500 + random() * 20_000
    this.#latency = 1 + random() * 80
    this.earliest = behaviour === 'pruned' ? 1 + Math.floor(blocks * 0.4) : 0
    this.#random = random
  }

  answer(start: number, count: number): Answer {
    const random = this.#random
    const none = (end: RequestEnd, delay = this.#latency): Answer => ({ delay, give: 0, end })
    const some = (give: number, end: RequestEnd = { kind: 'complete' }): Answer => ({ delay: this.#latency, give, end })
    switch (this.behaviour) {
      case 'silent':
        return none({ kind: 'failed', code: 'PEER_TIMEOUT' }, 10_000)
      case 'empty':
        return none({ kind: 'complete' })
      case 'unavailable':
        return none({ kind: 'unavailable', code: 'UNAVAILABLE' })
      case 'limited':
        return random() < 0.5 ? none({ kind: 'limited', retryAfterMs: random() * 3000 }) : some(count)
      case 'short':
        return some(Math.floor(random() * (count + 1)))
      case 'resetting':
        return some(Math.floor(random() * count), { kind: 'failed', code: 'PEER_CLOSED' })
      case 'greedy': {
        const failure = { code: 'TOO_MUCH', message: '', height: start + count }
        return random() < 0.1 ? some(count, { kind: 'fault', failure }) : some(count)
      }
      default:
        return some(count)
    }
  }

  /** Of `count` blocks it sent, the first bad one that the checker (or, `late`, only the ledger) finds. */
  firstBad(count: number, late: boolean): number | undefined {
    const lies = this.behaviour === (late ? 'late-liar' : 'liar') && this.#random() < 0.3
    return lies ? Math.floor(this.#random() * count) : undefined
  }
}
