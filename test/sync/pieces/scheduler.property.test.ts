import { describe, expect, it } from 'vitest'
import type { RequestEnd } from '../../../src/sync/events.ts'
import type { PieceAction, PieceEvent } from '../../../src/sync/pieces/events.ts'
import { PieceScheduler } from '../../../src/sync/pieces/scheduler.ts'
import { seeded, seeds } from '../support/random.ts'

type Behaviour =
  | 'honest'
  | 'slow'
  | 'liar'
  | 'silent'
  | 'limiting'
  | 'partial'
  | 'flaky'
  | 'leaving'
  | 'lacking'
  | 'forger'
const BEHAVIOURS: Behaviour[] = [
  'honest',
  'slow',
  'liar',
  'silent',
  'limiting',
  'partial',
  'flaky',
  'leaving',
  'lacking',
  'forger'
]

interface Options {
  readonly seed: number
  readonly pieces: number
  readonly peers: readonly Behaviour[]
  readonly has?: ReadonlySet<number>
  readonly maxRequests?: number
}

/** Peers that answer by what they are, on a clock of its own; the promises are checked at every step. */
class Simulation {
  readonly scheduler: PieceScheduler
  readonly stored = new Set<number>()
  readonly fetched = new Map<number, number>()
  readonly penalised = new Set<string>()
  readonly cancelled: number[] = []
  at = 0
  readonly #random: () => number
  readonly #options: Options
  #events: { at: number; event: PieceEvent }[] = []
  readonly #open = new Map<number, { peer: string; piece: number }>()

  constructor(options: Options) {
    this.#options = options
    this.#random = seeded(options.seed)
    for (const piece of options.has ?? []) this.stored.add(piece)
    this.scheduler = new PieceScheduler({
      count: options.pieces,
      has: (piece) => options.has?.has(piece) === true,
      requestsPerPeer: 2,
      maxRequests: options.maxRequests ?? 8,
      random: this.#random
    })
  }

  run(): this {
    const last = this.#options.pieces - 1
    for (const [index, behaviour] of this.#options.peers.entries()) {
      const from = behaviour === 'lacking' ? Math.floor(last / 2) : 0
      this.#handle({ type: 'peer', peer: `${behaviour}-${index}`, from, to: last })
    }
    this.#handle({ type: 'start' })
    // An hour: far more than any of these takes.
    while (this.scheduler.left > 0 && this.at < 3_600_000) this.#step()
    return this
  }

  #step(): void {
    this.#events.sort((a, b) => a.at - b.at)
    const next = this.#events[0]
    if (next === undefined || next.at > this.at + 100) {
      this.at += 100
      this.#handle({ type: 'tick' })
      return
    }
    this.#events.shift()
    this.at = Math.max(this.at, next.at)
    this.#handle(next.event)
  }

  #handle(event: PieceEvent): void {
    const open = 'request' in event ? this.#open.get(event.request) : undefined
    if (event.type === 'stored' && open !== undefined) this.stored.add(open.piece)
    if ((event.type === 'stored' || event.type === 'ended') && 'request' in event) this.#open.delete(event.request)
    for (const action of this.scheduler.handle(event, this.at)) this.#act(action)
    this.#check()
  }

  /** Thrown, as `expect` at each of a million steps would take most of the time. */
  #check(): void {
    const { out } = this.scheduler
    const pairs = new Set(out.map(({ piece, peer }) => `${piece} ${peer}`))
    const copies = (piece: number) => out.filter((one) => one.piece === piece).length
    const active = (peer: string) => out.filter((one) => one.peer === peer).length
    if (out.length > (this.#options.maxRequests ?? 8)) throw new Error('more requests than may be out')
    if (pairs.size !== out.length) throw new Error('one piece is out twice at one peer')
    if (out.some(({ piece }) => copies(piece) > 2)) throw new Error('a piece is out at more than two peers')
    if ([...this.scheduler.peers].some((peer) => peer.active !== active(peer.id))) throw new Error('a peer miscounted')
    if (this.scheduler.left !== this.#options.pieces - this.stored.size) throw new Error('pieces miscounted')
  }

  #act(action: PieceAction): void {
    if (action.type === 'fetch') this.#answer(action)
    else if (action.type === 'cancel') {
      this.cancelled.push(action.request)
      this.#open.delete(action.request)
      this.#events = this.#events.filter(({ event }) => !('request' in event && event.request === action.request))
    } else if (action.type === 'penalise') this.penalised.add(action.peer)
  }

  #answer({ request, peer, piece }: Extract<PieceAction, { type: 'fetch' }>): void {
    const last = this.#options.pieces - 1
    if (this.stored.has(piece)) throw new Error(`piece ${piece} is asked for again`)
    if (this.penalised.has(peer)) throw new Error(`${peer} is asked again`)
    if (peer.startsWith('lacking') && piece < Math.floor(last / 2)) throw new Error(`${peer} does not have ${piece}`)
    this.#open.set(request, { peer, piece })
    this.fetched.set(piece, (this.fetched.get(piece) ?? 0) + 1)
    for (const [ms, event] of answer(peer.split('-')[0] as Behaviour, { request, peer, piece, last }, this.#random)) {
      this.#events.push({ at: this.at + ms, event })
    }
  }
}

function answer(
  behaviour: Behaviour,
  { request, peer, piece, last }: { request: number; peer: string; piece: number; last: number },
  random: () => number
): [ms: number, event: PieceEvent][] {
  const end = (ms: number, end: RequestEnd): [number, PieceEvent][] => [[ms, { type: 'ended', request, end }]]
  const whole = (ms: number): [number, PieceEvent][] => [
    [ms / 2, { type: 'received', request, bytes: 1000 }],
    [ms, { type: 'stored', request, piece }]
  ]
  switch (behaviour) {
    case 'slow':
      return whole(5000)
    case 'liar':
      return end(20, { kind: 'fault', failure: { code: 'BAD', message: 'bad', height: piece } })
    case 'forger':
      // Good to look at; found out some time after it came.
      return [...whole(30), [300, { type: 'fault', peer, failure: { code: 'BAD', message: 'bad', height: piece } }]]
    case 'silent':
      return end(10_000, { kind: 'failed', code: 'PEER_TIMEOUT' })
    case 'limiting':
      return random() < 0.5 ? end(5, { kind: 'limited', retryAfterMs: 200 }) : whole(50)
    case 'partial':
      if (random() < 0.3) return whole(40)
      return [[10, { type: 'received', request, bytes: 300 }], ...end(30, { kind: 'complete' })]
    case 'flaky':
      return random() < 0.5 ? end(30, { kind: 'unavailable', code: 'NOT_READY' }) : whole(50)
    case 'leaving':
      if (random() < 0.7) return whole(40)
      return [
        [20, { type: 'left', peer }],
        [2000, { type: 'peer', peer, from: 0, to: last }]
      ]
    default:
      return whole(20 + random() * 60)
  }
}

describe('pieces', () => {
  it('all come, with one honest peer among any others, and only liars are blamed', () => {
    for (const seed of seeds(300)) {
      const random = seeded(seed ^ 0x9e37)
      const others = Array.from({ length: Math.floor(random() * 7) }, () => {
        return BEHAVIOURS[Math.floor(random() * BEHAVIOURS.length)] as Behaviour
      })
      const pieces = 1 + Math.floor(random() * 200)
      const run = new Simulation({ seed, pieces, peers: ['honest', ...others] }).run()
      expect({ seed, left: run.scheduler.left }).toEqual({ seed, left: 0 })
      expect([...run.penalised].every((peer) => /^(liar|forger)/.test(peer))).toBe(true)
    }
  })

  it('those on disk are not asked for again', () => {
    for (const seed of seeds(50)) {
      const random = seeded(seed)
      const has = new Set(Array.from({ length: 100 }, (_, i) => i).filter(() => random() < 0.5))
      const run = new Simulation({ seed, pieces: 100, peers: ['honest', 'honest', 'flaky'], has }).run()
      expect(run.scheduler.left).toBe(0)
      expect([...run.fetched.keys()].filter((piece) => has.has(piece))).toEqual([])
    }
  })

  it('of honest peers of one speed each comes once', () => {
    const run = new Simulation({ seed: 1, pieces: 300, peers: ['honest', 'honest', 'honest', 'honest'] }).run()
    expect([...run.fetched.values()].every((times) => times === 1)).toBe(true)
    expect(run.cancelled).toEqual([])
  })

  it('the last one of a slow peer is asked of another too, and the first to bring it wins', () => {
    const run = new Simulation({ seed: 3, pieces: 12, peers: ['slow', 'honest'] }).run()
    expect(run.scheduler.left).toBe(0)
    expect(run.cancelled.length).toBeGreaterThan(0)
    expect(run.at).toBeLessThan(5000)
  })

  it('one that was being written when its request was called off is done, and a copy of it is of no use', () => {
    const options = { count: 1, has: () => false, requestsPerPeer: 2, maxRequests: 4, random: seeded(1) }
    const scheduler = new PieceScheduler(options)
    scheduler.handle({ type: 'peer', peer: 'a', from: 0, to: 0 }, 0)
    expect(scheduler.handle({ type: 'start' }, 0)).toMatchObject([{ type: 'fetch', request: 0, peer: 'a' }])
    expect(scheduler.handle({ type: 'left', peer: 'a' }, 1)).toEqual([{ type: 'cancel', request: 0 }])
    expect(scheduler.handle({ type: 'peer', peer: 'b', from: 0, to: 0 }, 2)).toMatchObject([
      { type: 'fetch', request: 1 }
    ])
    expect(scheduler.handle({ type: 'stored', request: 0, piece: 0 }, 3)).toEqual([{ type: 'cancel', request: 1 }])
    expect(scheduler.left).toBe(0)
  })

  it('without a peer that has one, it waits, and goes on when one comes', () => {
    const scheduler = new PieceScheduler({
      count: 2,
      has: () => false,
      requestsPerPeer: 2,
      maxRequests: 4,
      random: seeded(1)
    })
    scheduler.handle({ type: 'start' }, 0)
    expect(scheduler.handle({ type: 'peer', peer: 'a', from: 1, to: 1 }, 0)).toMatchObject([
      { type: 'fetch', piece: 1 }
    ])
    expect(scheduler.handle({ type: 'stored', request: 0, piece: 1 }, 5)).toEqual([])
    expect([scheduler.left, scheduler.front]).toEqual([1, 0])
    expect(scheduler.handle({ type: 'peer', peer: 'b', from: 0, to: 1 }, 9)).toMatchObject([
      { type: 'fetch', piece: 0, peer: 'b' }
    ])
    expect(scheduler.handle({ type: 'stop' }, 10)).toEqual([{ type: 'cancel', request: 1 }])
    expect(scheduler.handle({ type: 'tick' }, 20)).toEqual([])
  })
})
