import { Emitter } from '../../emitter.ts'
import type { PeerFailure, RequestEnd } from '../events.ts'
import type { PieceAction, PieceEvent } from '../pieces/events.ts'
import { PieceScheduler } from '../pieces/scheduler.ts'
import { Meter } from '../progress.ts'
import type { SyncPeer } from '../types.ts'
import { Afterwork } from './afterwork.ts'
import { Fetching } from './fetching.ts'
import { PieceGrid } from './grid.ts'
import { Holders } from './holders.ts'
import { Senders } from './senders.ts'
import type { BackfillFault, BackfillOptions, BackfillPorts, BackfillState, BackfillStatus } from './types.ts'

export type { BackfillFault, BackfillOptions, BackfillPorts, BackfillState, BackfillStatus } from './types.ts'

/** 256 blocks of 100 events are 6 MB: some seconds of a slow link, and a frame is kept if the rest does not come. */
const PIECE_HEIGHTS = 256
const REQUESTS_PER_PEER = 2
/** Each has two frames in memory, of half a megabyte or one block. */
const MAX_REQUESTS = 4
const TICK_MS = 100
/** How often the log has a line of progress. */
const LOG_MS = 10_000

interface BackfillEvents {
  /** A peer failed a request or sent something bad; what that ends in is not backfill's to say. */
  penalise: [peer: string, failure: PeerFailure]
  /** The earliest height is lower now: peers should hear of it. */
  moved: [earliest: number]
  /** All history is held, certified and checked. */
  done: []
  /** Something that is not the peers' doing; also in the state. */
  fault: [fault: BackfillFault]
}

/**
 * Fills in the history below a checkpoint in the background: blocks in any order from any peers, several at once, proven
 * by their hashes alone; then, when nothing comes in, their certificates from the top down, which is what moves the
 * earliest height; and at the end the state is folded again from genesis and compared. Signatures come last as they are
 * the dear part, and what only peers have comes first.
 *
 * It gives way: nothing is begun while `busy`, and less is done when turns of the event loop become long. All progress is in
 * the ledger: stopped or killed at any moment it goes on where it was.
 */
export class Backfill extends Emitter<BackfillEvents> {
  readonly #ports: BackfillPorts
  readonly #now: () => number
  readonly #grid: PieceGrid
  readonly #scheduler: PieceScheduler
  readonly #fetching: Fetching
  readonly #afterwork: Afterwork
  readonly #senders = new Senders()
  readonly #holders: Holders
  readonly #meter: Meter
  readonly #closing = new AbortController()
  readonly #events: PieceEvent[] = []
  #handling = false
  #timer: NodeJS.Timeout | undefined
  #paused = false
  #fault: BackfillFault | undefined
  /** It does not go on. */
  #halted = false
  #loggedAt = 0

  constructor(ports: BackfillPorts, options: BackfillOptions = {}) {
    super()
    const { history } = ports
    this.#ports = ports
    this.#now = options.now ?? (() => performance.now())
    this.#meter = new Meter(this.#now())
    this.#grid = new PieceGrid(history.earliest - 1, options.pieceHeights ?? PIECE_HEIGHTS)
    this.#scheduler = new PieceScheduler({
      count: this.#grid.count,
      has: (piece) => this.#isHeld(piece),
      requestsPerPeer: options.requestsPerPeer ?? REQUESTS_PER_PEER,
      maxRequests: MAX_REQUESTS,
      random: options.random ?? Math.random
    })
    this.#holders = new Holders(this.#now, (id) => this.#isBarred(id))
    this.#fetching = new Fetching({
      ports,
      report: (event) => this.#handle(event),
      stored: (peer, { from, to }, bytes) => {
        this.#senders.add(from, to, peer)
        this.#meter.add(to - from + 1, bytes, this.#now())
        this.#works('VERIFY_FAILED')
      },
      failed: (code, message) => this.#failed(code, message)
    })
    this.#afterwork = new Afterwork({
      ports,
      now: this.#now,
      may: () => !this.#paused && !this.#halted && !this.#closing.signal.aborted && this.#scheduler.out.length === 0,
      signal: this.#closing.signal,
      senderOf: (height) => this.#senders.find(height),
      holders: (height) => this.#holders.of(height),
      blame: (peer, failure) => this.#blame(peer, failure),
      answered: (peer, end, height) => this.#answered(peer, end, height),
      moved: () => {
        this.#senders.dropFrom(history.earliest)
        this.emit('moved', history.earliest)
      },
      done: () => this.#done(),
      failed: (code, message) => this.#failed(code, message),
      works: (code) => this.#works(code)
    })
  }

  /** Begins, if there is anything to do. */
  start(): void {
    if (this.#timer !== undefined || this.#closing.signal.aborted || this.#ports.history.base === undefined) return
    const { earliest, held } = this.#ports.history
    this.#ports.log.info({ earliest, held: held.length }, `history below block ${earliest} is filled in`)
    this.#loggedAt = this.#now()
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
    this.#handle({ type: 'start' })
    this.#tick()
  }

  /** Ends all requests; resolves when nothing is being checked or written any more. It can't be started again. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#closing.abort()
    this.#handle({ type: 'stop' })
    await this.#fetching.close()
    await this.#afterwork.idle()
  }

  /** A source of blocks, new or with other heights. */
  setPeer(peer: SyncPeer): void {
    this.#holders.set(peer)
    const pieces = this.#grid.within(peer.earliest, peer.height)
    // None that it has: a range of nothing.
    this.#handle({ type: 'peer', peer: peer.id, from: pieces?.from ?? 1, to: pieces?.to ?? 0 })
  }

  removePeer(id: string): void {
    this.#holders.remove(id)
    this.#handle({ type: 'left', peer: id })
  }

  /** An operator forgave the peer: it may be asked again at once. */
  pardon(id: string): void {
    this.#holders.pardon(id)
    this.#handle({ type: 'pardon', peer: id })
  }

  state(): BackfillState {
    const { history } = this.#ports
    const uncertified = history.heldCount
    const missing = history.earliest - 1 - uncertified
    const rates = this.#meter.rates(this.#now())
    const eta = missing === 0 ? 0 : rates.blocksPerSecond > 0 ? missing / rates.blocksPerSecond : undefined
    return {
      status: this.#status(),
      earliest: history.earliest,
      base: history.base,
      uncertified,
      missing,
      ...rates,
      etaSeconds: eta,
      peers: this.#holders.size,
      requests: this.#scheduler.out.length,
      fault: this.#fault
    }
  }

  #status(): BackfillStatus {
    const { base, earliest } = this.#ports.history
    if (base === undefined) return 'done'
    if (this.#timer === undefined || this.#halted) return 'stopped'
    if (this.#paused) return 'paused'
    if (this.#scheduler.out.length > 0) return 'fetching'
    if (this.#afterwork.isRunning) return earliest === 1 ? 'checking' : 'certifying'
    return 'waiting'
  }

  #handle(event: PieceEvent): void {
    this.#events.push(event)
    // A listener of an action may call back in here; its event waits until all actions of this one are done.
    if (this.#handling) return
    this.#handling = true
    try {
      for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) {
        for (const action of this.#scheduler.handle(next, this.#now())) this.#act(action)
      }
    } finally {
      this.#handling = false
    }
  }

  #act(action: PieceAction): void {
    switch (action.type) {
      case 'fetch':
        this.#fetching.start(action, this.#grid.heights(action.piece))
        break
      case 'cancel':
        this.#fetching.cancel(action.request)
        break
      case 'penalise':
        this.#ports.log.warn({ peer: action.peer, code: action.failure.code }, action.failure.message)
        this.emit('penalise', action.peer, action.failure)
        break
      case 'failed':
        this.emit('penalise', action.peer, {
          ...action.failure,
          height: this.#grid.heights(action.failure.height).from
        })
        break
    }
  }

  #tick(): void {
    const busy = this.#ports.busy()
    if (busy !== this.#paused && !this.#halted) {
      this.#paused = busy
      this.#handle({ type: busy ? 'stop' : 'start' })
    }
    this.#handle({ type: 'tick' })
    this.#afterwork.tick()
    if (this.#now() - this.#loggedAt < LOG_MS) return
    this.#loggedAt = this.#now()
    const { status, earliest, missing, uncertified, blocksPerSecond } = this.state()
    const rate = `${blocksPerSecond.toFixed(0)} blocks/s`
    this.#ports.log.info(
      { earliest, missing, uncertified },
      `backfill ${status}: ${missing} blocks to fetch, ${uncertified} to certify, ${rate}`
    )
  }

  #done(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#ports.log.info(
      {},
      'history is complete: every block is held, certified, and comes to the state of the checkpoint'
    )
    this.emit('done')
  }

  #failed(code: BackfillFault['code'], message: string): void {
    if (this.#closing.signal.aborted) return
    const news = this.#fault?.code !== code
    this.#fault = { code, message }
    if (code === 'LEDGER_FAILED' || code === 'HISTORY_MISMATCH') {
      this.#halted = true
      this.#handle({ type: 'stop' })
    }
    if (!news) return
    this.#ports.log.error({ code }, message)
    this.emit('fault', this.#fault)
  }

  #works(code: BackfillFault['code']): void {
    if (this.#fault?.code === code) this.#fault = undefined
  }

  #blame(peer: string, failure: PeerFailure): void {
    if (!this.#isBarred(peer)) this.#handle({ type: 'fault', peer, failure })
  }

  #isBarred(peer: string): boolean {
    return this.#scheduler.peers.find(peer)?.barred(this.#now()) === true
  }

  /** An answer with certificates ended so. */
  #answered(peer: string, end: RequestEnd, height: number): void {
    if (end.kind === 'fault') this.#blame(peer, end.failure)
    else this.#holders.answered(peer, end)
    if (end.kind !== 'failed') return
    this.emit('penalise', peer, { code: end.code, message: `no certificate of block ${height}: ${end.code}`, height })
  }

  #isHeld(piece: number): boolean {
    const { from, to } = this.#grid.heights(piece)
    return this.#ports.history.missing(from, to).length === 0
  }
}
