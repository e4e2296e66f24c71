import type { RequestEnd, SchedulerAction, SchedulerEvent } from '../../../src/sync/events.ts'
import { FAILED_RANGE_MS } from '../../../src/sync/policy/backoff.ts'
import { heldBytes } from '../../../src/sync/policy/weight.ts'
import { Scheduler } from '../../../src/sync/scheduler.ts'
import { seeded } from './random.ts'
import { type Answer, type Behaviour, SimulatedPeer } from './simulated-peer.ts'

interface Open {
  readonly peer: SimulatedPeer
  readonly start: number
  readonly count: number
  blocks: number
  bytes: number
  open: boolean
}

export interface SimulationOptions {
  readonly seed: number
  readonly blocks: number
  readonly peers: readonly Behaviour[]
  /** Wire bytes of the block at a height. */
  readonly weight: (height: number) => number
  readonly frameBytes: number
  readonly lookAheadBytes: number
  /** The chance in a tenth of a second that the tip moves by itself. */
  readonly gossip?: number
  /** The share of ledger writes that fail. */
  readonly failingWrites?: number
  /** Peers join within this time. */
  readonly joinMs?: number
}

/** Virtual time after which a run counts as stuck. */
const PATIENCE_MS = 30 * 60_000

/**
 * A scheduler among simulated peers, a checker and a ledger in virtual time, with an oracle beside it that knows all
 * that is held and asked. A broken promise throws; the seed replays it.
 */
export class Simulation {
  readonly scheduler: Scheduler
  readonly options: SimulationOptions
  readonly random: () => number
  readonly penalised: { peer: string; code: string }[] = []
  readonly usedPeers = new Set<string>()
  now = 0
  committed = 0
  peakHeld = 0
  requests = 0
  readonly #queue: { at: number; order: number; run: () => void }[] = []
  #order = 0
  #writing = false
  readonly #peers: SimulatedPeer[]
  readonly #open = new Map<number, Open>()
  /** Checked or unchecked blocks of a range: wire bytes a block, and who sent them. */
  readonly #held = new Map<number, { start: number; sizes: number[]; peer: SimulatedPeer }>()
  /** Who failed a height last, when, and whether someone else was asked since. */
  readonly #failed = new Map<number, { peer: string; at: number }>()

  constructor(options: SimulationOptions) {
    this.options = options
    this.random = seeded(options.seed)
    this.scheduler = new Scheduler({
      tip: 0,
      frameBytes: options.frameBytes,
      lookAheadBytes: options.lookAheadBytes,
      random: seeded(options.seed + 1)
    })
    this.#peers = options.peers.map((behaviour, i) => {
      return new SimulatedPeer(behaviour, i, options.blocks, this.random)
    })
    for (const peer of this.#peers) this.#at(this.random() * (options.joinMs ?? 200), () => this.#join(peer))
    this.#at(0, () => this.#handle({ type: 'start' }))
    const tick = (): void => {
      this.#handle({ type: 'tick' })
      if (this.random() < (options.gossip ?? 0)) this.#gossip()
      this.#at(100, tick)
    }
    this.#at(100, tick)
  }

  /** Runs to the end of the chain. @throws when stuck or when a promise is broken */
  run(): void {
    while (this.committed < this.options.blocks) {
      this.#queue.sort((a, b) => a.at - b.at || a.order - b.order)
      const next = this.#queue.shift()
      if (next === undefined || next.at > PATIENCE_MS) throw this.#broken(`stuck at ${this.committed}`)
      this.now = next.at
      next.run()
    }
  }

  #at(delay: number, run: () => void): void {
    this.#queue.push({ at: this.now + delay, order: this.#order++, run })
  }

  /** Some blocks come by another way. */
  #gossip(): void {
    this.committed = Math.min(this.options.blocks, this.committed + 1 + Math.floor(this.random() * 100))
    this.#handle({ type: 'tip', height: this.committed })
  }

  #join(peer: SimulatedPeer): void {
    peer.here = true
    this.#handle({ type: 'peer', peer: peer.id, height: this.options.blocks, earliest: peer.earliest })
    if (peer.behaviour === 'leaving') this.#at(100 + this.random() * 2000, () => this.#leave(peer))
  }

  #leave(peer: SimulatedPeer): void {
    peer.here = false
    for (const open of this.#open.values()) if (open.peer === peer) open.open = false
    this.#handle({ type: 'left', peer: peer.id })
    this.#at(this.random() * 3000, () => this.#join(peer))
  }

  #handle(event: SchedulerEvent): void {
    for (const action of this.scheduler.handle(event, this.now)) this.#act(action)
    this.#check()
  }

  #act(action: SchedulerAction): void {
    switch (action.type) {
      case 'request':
        this.#request(action)
        break
      case 'stop': {
        const open = this.#open.get(action.request)
        if (open !== undefined) open.open = false
        break
      }
      case 'drop': {
        const open = this.#open.get(action.request)
        if (open !== undefined) open.open = false
        this.#open.delete(action.request)
        break
      }
      case 'verify':
        this.#verify(action)
        break
      case 'commit':
        this.#commit(action.ranges.map(({ range }) => range))
        break
      case 'forget':
        this.#held.delete(action.range)
        break
      case 'penalise':
        this.penalised.push({ peer: action.peer, code: action.failure.code })
        break
    }
  }

  #request({ request, peer: id, start, count }: Extract<SchedulerAction, { type: 'request' }>): void {
    const peer = this.#peers.find((other) => other.id === id) as SimulatedPeer
    this.requests++
    this.usedPeers.add(id)
    if (!peer.here) throw this.#broken(`asked ${id}, which is not here`)
    if (start < peer.earliest) throw this.#broken(`asked ${id} for ${start} below its earliest`)
    const active = [...this.#open.values()].filter((open) => open.open && open.peer === peer).length
    if (active >= 2) throw this.#broken(`three requests at ${id}`)
    if (start + count - 1 <= this.committed) throw this.#broken(`asked for ${start}, which is written`)
    for (let height = start; height < start + count; height++) {
      const copies = [...this.#open.values()].filter(
        (open) => open.open && open.start <= height && height < open.start + open.count
      )
      if (copies.length >= 2) throw this.#broken(`three copies of ${height}`)
    }
    const failed = this.#failed.get(start)
    if (failed?.peer === id && this.now - failed.at < FAILED_RANGE_MS) {
      const others = this.scheduler.holders(start, this.now).filter((other) => other.id !== id)
      if (others.length > 0) throw this.#broken(`asked ${id} for ${start} right after it failed`)
    }
    for (const range of this.scheduler.ranges) {
      if (range.start >= start) break
      const state = range.state
      if (state.status !== 'AwaitingDownload' || state.failedBy === id || peer.earliest > range.start) continue
      throw this.#broken(`asked ${id} for ${start} before ${range.start}`)
    }
    this.#failed.delete(start)
    const open: Open = { peer, start, count, blocks: 0, bytes: 0, open: true }
    this.#open.set(request, open)
    const answer = peer.answer(start, count)
    this.#at(answer.delay, () => this.#frame(request, open, answer))
  }

  #frame(request: number, open: Open, answer: Answer): void {
    if (!open.open) return
    if (open.blocks === answer.give) {
      this.#end(request, open, answer.end)
      return
    }
    let blocks = 0
    let bytes = 0
    while (open.blocks + blocks < answer.give) {
      const next = this.options.weight(open.start + open.blocks + blocks)
      if (blocks > 0 && bytes + next > this.options.frameBytes) break
      blocks++
      bytes += next
    }
    this.#at(bytes / open.peer.bytesPerMs, () => {
      if (!open.open) return
      open.blocks += blocks
      open.bytes += bytes
      this.#handle({ type: 'received', request, blocks, bytes })
      this.#frame(request, open, answer)
    })
  }

  #end(request: number, open: Open, end: RequestEnd): void {
    if (!open.open) return
    open.open = false
    if (open.blocks < open.count && end.kind !== 'limited') {
      this.#failed.set(open.start + open.blocks, { peer: open.peer.id, at: this.now })
    }
    this.#handle({ type: 'ended', request, end })
  }

  #verify({ range, request, start, count }: Extract<SchedulerAction, { type: 'verify' }>): void {
    const open = this.#open.get(request)
    if (open === undefined || open.open || open.blocks < count) throw this.#broken(`verify of ${start} without blocks`)
    this.#open.delete(request)
    const sizes = Array.from({ length: count }, (_, i) => this.options.weight(start + i))
    this.#held.set(range, { start, sizes, peer: open.peer })
    this.#at(1 + count * 0.5, () => {
      const bad = open.peer.firstBad(count, false)
      const good = bad ?? count
      const goodBytes = sizes.slice(0, good).reduce((sum, size) => sum + size, 0)
      if (bad === undefined) {
        this.#handle({ type: 'verified', range, good, goodBytes })
        return
      }
      this.#held.set(range, { start, sizes: sizes.slice(0, good), peer: open.peer })
      this.#failed.set(start + good, { peer: open.peer.id, at: this.now })
      const failure = { code: 'BAD_SEAL', message: '', height: start + good }
      this.#handle({ type: 'verified', range, good, goodBytes, failure })
    })
  }

  #commit(ranges: readonly number[]): void {
    if (this.#writing) throw this.#broken('two writes at once')
    this.#writing = true
    const parts = ranges.map((range) => {
      const held = this.#held.get(range)
      if (held === undefined) throw this.#broken(`commit of range ${range}, which is not held`)
      return { ...held, count: held.sizes.length }
    })
    const first = parts[0]?.start ?? 0
    let next = first
    // What gossip has brought meanwhile is passed over by the ledger.
    if (first > this.committed + 1) throw this.#broken(`commit of ${first} where ${this.committed + 1} was next`)
    for (const { start, count } of parts) {
      if (start !== next) throw this.#broken(`commit of ${start} where ${next} was next`)
      next += count
    }
    this.#at(1 + (next - first) * 0.5, () => {
      this.#writing = false
      if (this.random() < (this.options.failingWrites ?? 0.02)) {
        this.#handle({ type: 'commit-failed' })
        return
      }
      let applied = 0
      for (const { peer, count, start } of parts) {
        const bad = peer.firstBad(count, true)
        applied += bad ?? count
        if (bad === undefined) continue
        const height = start + bad
        this.committed = Math.max(this.committed, first + applied - 1)
        this.#failed.set(height, { peer: peer.id, at: this.now })
        this.#handle({ type: 'committed', applied, failure: { code: 'BAD_PARENT', message: '', height } })
        return
      }
      this.committed = Math.max(this.committed, first + applied - 1)
      this.#handle({ type: 'committed', applied })
    })
  }

  /** What holds after every event. */
  #check(): void {
    const { held, ranges, tip } = this.scheduler
    if (held > this.options.lookAheadBytes) throw this.#broken(`${held} bytes held`)
    let real = 0
    for (const open of this.#open.values()) real += heldBytes(open.blocks, open.bytes)
    for (const { sizes } of this.#held.values())
      real += heldBytes(
        sizes.length,
        sizes.reduce((a, b) => a + b, 0)
      )
    if (real > held) throw this.#broken(`${real} bytes really held, ${held} counted`)
    this.peakHeld = Math.max(this.peakHeld, real)
    // What is being checked or written below the tip stays until that is done; above it there are no gaps.
    const above = ranges.filter((range) => range.end > tip)
    if ((above[0]?.start ?? 0) > tip + 1) throw this.#broken(`gap above the tip ${tip}`)
    for (const [i, range] of above.entries()) {
      const next = above[i + 1]
      if (next !== undefined && next.start !== range.end + 1) throw this.#broken(`gap before ${next.start}`)
    }
  }

  #broken(what: string): Error {
    return new Error(`seed ${this.options.seed}, ${Math.round(this.now)} ms: ${what}`)
  }
}
