import type { CheckedBlock } from '../chain/check-block.ts'
import { Emitter } from '../emitter.ts'
import type { PeerFailure, SchedulerAction, SchedulerEvent } from './events.ts'
import { Pipeline } from './pipeline.ts'
import { Meter } from './progress.ts'
import { rangeView } from './range-view.ts'
import { Reporter } from './reporter.ts'
import { Scheduler } from './scheduler.ts'
import { Strategy } from './strategy.ts'
import type { Stall, StallCode, Syncable, SyncOptions, SyncPeer, SyncPorts, SyncRun, SyncState } from './types.ts'
import { type Diagnosis, diagnose } from './watchdog.ts'

const DEFAULT_LAG_MS = 5_000
const DEFAULT_GATHER_MS = 500
const DEFAULT_STALL_AFTER_MS = 10_000
/** How often time is told to the scheduler: retries and second copies are this exact. */
const TICK_MS = 100

interface SyncEvents {
  /** Range sync begins: consensus should pause. */
  started: [run: { readonly from: number; readonly target: number }]
  /** Caught up: gossip takes over. */
  done: [run: SyncRun]
  /** A peer failed a request or sent something bad; what that ends in is not sync's to say. */
  penalise: [peer: string, failure: PeerFailure]
  /** Every second while syncing, for a live line. */
  progress: [state: SyncState, line: string]
  stalled: [stall: Stall]
  resumed: []
}

/**
 * Keeps the ledger, or a light node's headers, at the highest certified height. Once behind by two or more it downloads
 * ranges from all peers that hold them, checks and writes them, all at the same time, and hands over to gossip when it
 * has caught up; and again whenever it falls behind. Heights count only with a certificate, which whoever calls
 * `setPeer` and `certified` has checked.
 */
export class SyncManager<Item extends Syncable = CheckedBlock> extends Emitter<SyncEvents> {
  readonly #ports: SyncPorts<Item>
  readonly #now: () => number
  readonly #scheduler: Scheduler
  readonly #pipeline: Pipeline<Item>
  readonly #reporter: Reporter
  readonly #strategy: Strategy
  readonly #meter: Meter
  /** Peers whose blocks were written in this run. */
  readonly #used = new Set<string>()
  readonly #events: SchedulerEvent[] = []
  #handling = false
  #timer: NodeJS.Timeout | undefined
  #stopped = false
  #range: { readonly from: number; readonly at: number } | undefined
  #fault: Diagnosis | undefined
  #halted = false
  #lastRun: SyncRun | undefined

  /** @throws MolochError SYNC_LOOKAHEAD_TOO_SMALL */
  constructor(ports: SyncPorts<Item>, options: SyncOptions) {
    super()
    this.#ports = ports
    this.#now = options.now ?? (() => performance.timeOrigin + performance.now())
    const tip = ports.ledger.tip.height
    this.#scheduler = new Scheduler({
      tip,
      frameBytes: options.frameBytes,
      kind: ports.items.kind,
      random: options.random ?? Math.random,
      ...(options.lookAheadBytes === undefined ? {} : { lookAheadBytes: options.lookAheadBytes }),
      ...(options.requestsPerPeer === undefined ? {} : { requestsPerPeer: options.requestsPerPeer })
    })
    this.#pipeline = new Pipeline({
      ports,
      frameBytes: options.frameBytes,
      report: (event) => {
        this.#handle(event)
        if (event.type === 'committed') this.#decide()
      },
      written: (peer, count, bytes) => {
        this.#used.add(peer)
        this.#meter.add(count, bytes, this.#now())
      },
      failed: (code, message) => this.#failed(code, message),
      works: (code) => {
        if (this.#fault?.code === code) this.#fault = undefined
      },
      conflict: (message) => this.#halt(message)
    })
    this.#reporter = new Reporter({
      log: ports.log,
      stallAfterMs: options.stallAfterMs ?? DEFAULT_STALL_AFTER_MS,
      noun: ports.items.kind.noun,
      state: () => this.state(),
      diagnose: (at) => diagnose(this.#scheduler, at),
      fault: () => this.#fault,
      progress: (state, line) => this.emit('progress', state, line),
      stalled: (stall) => this.emit('stalled', stall),
      resumed: () => this.emit('resumed')
    })
    this.#strategy = new Strategy(options.lagMs ?? DEFAULT_LAG_MS, options.gatherMs ?? DEFAULT_GATHER_MS)
    this.#meter = new Meter(this.#now())
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
  }

  /** A source of blocks, new or with a new certified height. */
  setPeer({ id, height, earliest }: SyncPeer): void {
    this.#handle({ type: 'peer', peer: id, height, earliest })
    this.#decide()
  }

  removePeer(id: string): void {
    this.#handle({ type: 'left', peer: id })
  }

  /** An operator forgave the peer: it may be asked again at once. */
  pardon(id: string): void {
    this.#handle({ type: 'pardon', peer: id })
  }

  /** A certificate for `height` was checked, wherever it came from. */
  certified(height: number): void {
    this.#handle({ type: 'target', height })
    this.#decide()
  }

  /** Ends all requests; resolves when nothing is being checked or written any more. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#handle({ type: 'stop' })
    this.#stopped = true
    await this.#pipeline.close()
  }

  get isSyncing(): boolean {
    return this.#range !== undefined
  }

  state(): SyncState {
    const height = this.#ports.ledger.tip.height
    const targetHeight = Math.max(height, this.#scheduler.target)
    const rates = this.#range === undefined ? { blocksPerSecond: 0, bytesPerSecond: 0 } : this.#meter.rates(this.#now())
    const known = rates.blocksPerSecond > 0
    return {
      strategy: this.#range === undefined ? 'gossip' : 'range',
      height,
      targetHeight,
      ...rates,
      etaSeconds: known ? (targetHeight - height) / rates.blocksPerSecond : targetHeight > height ? undefined : 0,
      peers: this.#scheduler.peers.size,
      heldBytes: this.#scheduler.held,
      stalled: this.#reporter.stall,
      boundBytes: this.#scheduler.bound,
      ranges: this.#scheduler.ranges.map((range) => rangeView(range, this.#now())),
      lastRun: this.#lastRun
    }
  }

  #handle(event: SchedulerEvent): void {
    this.#events.push(event)
    // A listener of an action may call back in here; its event waits until all actions of this one are done.
    if (this.#handling) return
    this.#handling = true
    try {
      for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) {
        if (this.#stopped) continue
        for (const action of this.#scheduler.handle(next, this.#now())) this.#act(action)
      }
    } finally {
      this.#handling = false
    }
  }

  #act(action: SchedulerAction): void {
    if (action.type === 'penalise' || action.type === 'failed') this.emit('penalise', action.peer, action.failure)
    else this.#pipeline.act(action)
  }

  #failed(code: StallCode, message: string): void {
    if (this.#stopped) return
    if (this.#fault?.code !== code) this.#ports.log.error({ code }, message)
    this.#fault = { code, message: `${message}; it is tried again` }
  }

  /** Two certificates for one height: nothing more is fetched or written. */
  #halt(message: string): void {
    this.#halted = true
    this.#fault = { code: 'CONFLICTING_FINALITY', message }
    this.#handle({ type: 'stop' })
    this.#ports.log.error({ code: 'CONFLICTING_FINALITY' }, `sync stops: ${message}`)
  }

  /** Begins or ends range sync when tip and target say so. */
  #decide(): void {
    // The ledger shows a tip before its write has been told of here: nothing is decided on half of the news.
    if (this.#stopped || this.#halted || this.#scheduler.writing) return
    const at = this.#now()
    const tip = this.#ports.ledger.tip.height
    if (tip > this.#scheduler.tip) this.#handle({ type: 'tip', height: tip })
    const { target, running } = this.#scheduler
    const change = this.#strategy.decide(this.isSyncing, tip, target, at)
    if (change === 'begin') this.#begin(tip, at)
    else if (change === 'finish') this.#finish(tip, at)
    if (!this.isSyncing || running) return
    const holders = this.#scheduler.holders(tip + 1, at).length
    if (this.#strategy.gathered(tip, target, holders, at)) this.#handle({ type: 'start' })
  }

  #begin(from: number, at: number): void {
    this.#range = { from, at }
    this.#used.clear()
    this.#meter.reset(at)
    this.#reporter.begin(from, at)
    const { target, peers } = this.#scheduler
    this.#ports.log.info({ from, target, peers: peers.size }, `${this.#label} starts`)
    this.emit('started', { from, target })
  }

  #finish(to: number, at: number): void {
    const range = this.#range
    if (range === undefined) return
    this.#handle({ type: 'stop' })
    this.#range = undefined
    const seconds = (at - range.at) / 1000
    this.#lastRun = { from: range.from, to, seconds, peersUsed: this.#used.size }
    this.#reporter.end(to, at)
    this.#ports.log.info(this.#lastRun, `${this.#label} is done, gossip takes over`)
    this.emit('done', this.#lastRun)
  }

  get #label(): string {
    return this.#ports.items.kind.noun === 'header' ? 'header sync' : 'range sync'
  }

  #tick(): void {
    this.#handle({ type: 'tick' })
    this.#decide()
    if (this.#range !== undefined) this.#reporter.tick(this.#now())
  }
}
