import type { CheckedManifest } from '../../chain/snapshot-manifest.ts'
import { messageOf } from '../../error.ts'
import { endOf, OWN_FAULT } from '../downloads.ts'
import type { RequestEnd } from '../events.ts'
import type { PieceAction, PieceEvent, PieceFetch } from '../pieces/events.ts'
import { PieceScheduler } from '../pieces/scheduler.ts'
import { Meter } from '../progress.ts'
import type { Stall } from '../types.ts'
import { Watchdog } from '../watchdog.ts'
import { diagnoseDownload } from './diagnose.ts'
import type { Staging } from './staging.ts'
import type { DownloadState, Penalise, WarpPorts } from './types.ts'

/** Retries and second copies are this exact. */
const TICK_MS = 100
/** Without anybody who serves the snapshot for this long it is given up: servers keep the newest few. */
const LOST_MS = 10_000

export interface DownloadOptions {
  readonly manifest: CheckedManifest
  readonly staging: Staging
  readonly requestsPerPeer: number
  readonly maxRequests: number
  readonly stallAfterMs: number
  /** See WarpOptions. */
  readonly barrenAfterMs: number
  readonly penalise: Penalise
  /** A peer does not have the snapshot any more. */
  readonly onGone: (peer: string) => void
  readonly now: () => number
  readonly random: () => number
}

export type DownloadEnd =
  /** All chunks are stored. */
  | 'done'
  /** Nobody serves them any more. */
  | 'lost'
  /** Somebody says that it serves them, and none came for long. */
  | 'barren'

/** Fetches the chunks of one snapshot from all who serve it, checks each when it arrives and stores it. */
export class ChunkDownload {
  readonly #ports: WarpPorts
  readonly #options: DownloadOptions
  readonly #scheduler: PieceScheduler
  readonly #meter: Meter
  readonly #watchdog: Watchdog
  readonly #requests = new Map<number, AbortController>()
  readonly #running = new Set<Promise<void>>()
  readonly #used = new Set<string>()
  readonly #events: PieceEvent[] = []
  readonly #end: Promise<DownloadEnd>
  #resolve: (end: DownloadEnd) => void = () => {}
  #reject: (error: unknown) => void = () => {}
  #handling = false
  #stopped = false
  #servedAt: number
  /** The last chunk. */
  #cameAt: number

  constructor(ports: WarpPorts, options: DownloadOptions) {
    const { manifest, staging, requestsPerPeer, maxRequests, random, now, stallAfterMs } = options
    this.#ports = ports
    this.#options = options
    const has = (piece: number): boolean => staging.has(piece)
    this.#scheduler = new PieceScheduler({ count: manifest.chunks.length, has, requestsPerPeer, maxRequests, random })
    this.#meter = new Meter(now())
    this.#watchdog = new Watchdog(stallAfterMs)
    this.#watchdog.reset(this.#stored, now())
    this.#servedAt = now()
    this.#cameAt = now()
    this.#end = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    // Whoever awaits `run` hears of it.
    this.#end.catch(() => {})
  }

  /** Peers whose chunks were stored. */
  get used(): ReadonlySet<string> {
    return this.#used
  }

  /** A peer that serves this snapshot. */
  setSource(peer: string): void {
    this.#handle({ type: 'peer', peer, from: 0, to: this.#options.manifest.chunks.length - 1 })
  }

  removeSource(peer: string): void {
    this.#handle({ type: 'left', peer })
  }

  pardon(peer: string): void {
    this.#handle({ type: 'pardon', peer })
  }

  /**
   * Resolves when all chunks are stored, or it is of no use to wait for more.
   * @throws the signal's reason; what the disk throws
   */
  async run(signal: AbortSignal): Promise<DownloadEnd> {
    const abort = (): void => this.#reject(signal.reason)
    signal.addEventListener('abort', abort)
    const timer = setInterval(() => this.#tick(), TICK_MS)
    try {
      signal.throwIfAborted()
      this.#handle({ type: 'start' })
      if (this.#scheduler.left === 0) return 'done'
      return await this.#end
    } finally {
      signal.removeEventListener('abort', abort)
      clearInterval(timer)
      this.#handle({ type: 'stop' })
      this.#stopped = true
      await Promise.all(this.#running)
    }
  }

  state(): DownloadState {
    const { manifest, now } = this.#options
    const { blocksPerSecond: perSecond, bytesPerSecond } = this.#meter.rates(now())
    return {
      phase: 'downloading',
      height: manifest.height,
      chunks: manifest.chunks.length,
      chunksDone: this.#stored,
      bytesPerSecond,
      peers: this.#sources(now()).length,
      etaSeconds: perSecond > 0 ? this.#scheduler.left / perSecond : undefined,
      stalled: this.#watchdog.stall
    }
  }

  /** What changed since the last call. */
  watch(): { readonly change: 'stalled' | 'changed' | 'resumed' | undefined; readonly stall: Stall | undefined } {
    const at = this.#options.now()
    const change = this.#watchdog.check(this.#stored, at, undefined, () => diagnoseDownload(this.#scheduler, at))
    return { change, stall: this.#watchdog.stall }
  }

  get #stored(): number {
    return this.#options.manifest.chunks.length - this.#scheduler.left
  }

  #sources(at: number): string[] {
    return [...this.#scheduler.peers].filter((peer) => !peer.barred(at)).map(({ id }) => id)
  }

  #tick(): void {
    this.#handle({ type: 'tick' })
    const at = this.#options.now()
    if (this.#sources(at).length > 0) this.#servedAt = at
    else if (at - this.#servedAt > LOST_MS) this.#resolve('lost')
    if (at - this.#cameAt > this.#options.barrenAfterMs) this.#resolve('barren')
  }

  #handle(event: PieceEvent): void {
    this.#events.push(event)
    // An action may call back in here; its event waits until all actions of this one are done.
    if (this.#handling) return
    this.#handling = true
    try {
      for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) {
        if (this.#stopped) continue
        for (const action of this.#scheduler.handle(next, this.#options.now())) this.#act(action)
      }
    } finally {
      this.#handling = false
    }
    if (this.#scheduler.left === 0) this.#resolve('done')
  }

  #act(action: PieceAction): void {
    switch (action.type) {
      case 'fetch': {
        const run = this.#fetch(action).finally(() => this.#running.delete(run))
        this.#running.add(run)
        break
      }
      case 'cancel':
        this.#requests.get(action.request)?.abort()
        break
      case 'penalise':
      case 'failed':
        this.#options.penalise(action.peer, action.failure)
        break
    }
  }

  /** Never throws. */
  async #fetch({ request, peer, piece }: PieceFetch): Promise<void> {
    const controller = new AbortController()
    this.#requests.set(request, controller)
    try {
      // What throws at once must not report before the scheduler is done with the action.
      await undefined
      const end = await this.#fetchChunk(request, peer, piece, controller.signal)
      if (controller.signal.aborted || end === undefined) return
      this.#handle({ type: 'ended', request, end })
      if (end.kind === 'unavailable' && end.code === 'UNAVAILABLE') {
        this.removeSource(peer)
        this.#options.onGone(peer)
      }
    } catch (error) {
      this.#reject(error)
    } finally {
      this.#requests.delete(request)
    }
  }

  /** @returns how the request ended; undefined: the chunk is stored. @throws what the disk throws */
  async #fetchChunk(
    request: number,
    peer: string,
    piece: number,
    signal: AbortSignal
  ): Promise<RequestEnd | undefined> {
    const { manifest, staging, now } = this.#options
    const { height, id: manifestId, chunks } = manifest
    let data: Uint8Array
    try {
      const wanted = { height, manifestId, chunk: piece, chunks: chunks.length }
      data = await this.#ports.network.getChunk(peer, wanted, { signal })
    } catch (error) {
      return endOf(error, height)
    }
    if (signal.aborted) return undefined
    // However long our own checker and disk take.
    this.#cameAt = now()
    this.#handle({ type: 'received', request, bytes: data.byteLength })
    const end = await this.#check(piece, data)
    if (signal.aborted || end !== undefined) return end
    await staging.store(piece, data)
    this.#used.add(peer)
    this.#meter.add(1, data.byteLength, now())
    this.#handle({ type: 'stored', request, piece })
    return undefined
  }

  async #check(piece: number, data: Uint8Array): Promise<RequestEnd | undefined> {
    const { height, chunks } = this.#options.manifest
    try {
      const failure = await this.#ports.checkChunk(chunks[piece] as (typeof chunks)[number], data)
      if (failure === undefined) return undefined
      const { code, message } = failure
      return { kind: 'fault', failure: { code, message: `chunk ${piece} of the snapshot: ${message}`, height } }
    } catch (error) {
      // The checker's own trouble is nobody's fault: the chunk is fetched again.
      this.#ports.log.error({ err: error }, `chunk ${piece} could not be checked: ${messageOf(error)}`)
      return OWN_FAULT
    }
  }
}
