import { type CheckedManifest, checkManifest } from '../../chain/snapshot-manifest.ts'
import { equalBytes } from '../../codec/bytes.ts'
import { Emitter } from '../../emitter.ts'
import { isCalledOff } from '../../error.ts'
import { heightOf } from '../../ledger/snapshot/peek-chain.ts'
import { switchDatabase } from '../../ledger/snapshot/switch-database.ts'
import type { PeerFailure } from '../events.ts'
import { diagnoseSearch } from './diagnose.ts'
import { ChunkDownload } from './download.ts'
import { findManifest } from './find-manifest.ts'
import { importStaged } from './import-staged.ts'
import { PassedOver } from './passed-over.ts'
import { WarpReporter } from './reporter.ts'
import { ManifestSearch } from './search.ts'
import { Staging } from './staging.ts'
import type { NoSnapshot, SearchOutcome, WarpOptions, WarpOutcome, WarpPeer, WarpPorts, WarpState } from './types.ts'

const DEFAULT_REQUESTS_PER_PEER = 4
const DEFAULT_MAX_REQUESTS = 16
const DEFAULT_STALL_AFTER_MS = 10_000
const DEFAULT_BARREN_AFTER_MS = 90_000
const POLL_MS = 50

interface WarpEvents {
  /** A peer failed a request or sent something bad; what that ends in is not warp's to say. */
  penalise: [peer: string, failure: PeerFailure]
  /** Every second, for a live line. */
  progress: [state: WarpState, line: string]
}

/**
 * Brings a node to a snapshot's height without the blocks below it: a manifest that is proven under the checkpoint, its
 * chunks from all who have them, and a new database in the place of the old one. What was stored outlives a crash.
 */
export class Warp extends Emitter<WarpEvents> {
  readonly #ports: WarpPorts
  readonly #options: WarpOptions
  readonly #now: () => number
  readonly #search: ManifestSearch
  readonly #reporter: WarpReporter
  readonly #used = new Set<string>()
  readonly #passedOver: PassedOver
  #download: ChunkDownload | undefined
  #searchedAt = 0
  /** Of the chain that is there: without a snapshot, blocks from the next one up are synced. */
  #height = 0
  #state: () => WarpState

  constructor(ports: WarpPorts, options: WarpOptions) {
    super()
    this.#ports = ports
    this.#options = options
    this.#now = options.now ?? (() => performance.timeOrigin + performance.now())
    this.#searchedAt = this.#now()
    this.#passedOver = new PassedOver(this.#now)
    const penalise = (peer: string, failure: PeerFailure): void => this.#penalise(peer, failure)
    const { checkpoint } = options
    this.#search = new ManifestSearch(ports, { checkpoint, penalise, passedOver: this.#passedOver, now: this.#now })
    this.#state = () => this.#searching()
    this.#reporter = new WarpReporter(ports.log, (state, line) => this.emit('progress', state, line))
  }

  /** A peer that is FULL or WARP, new or with a new certified height. */
  setPeer(peer: WarpPeer): void {
    this.#search.setPeer(peer)
  }

  removePeer(id: string): void {
    this.#search.removePeer(id)
    this.#download?.removeSource(id)
  }

  /** An operator forgave the peer. */
  pardon(id: string): void {
    this.#search.pardon(id)
    this.#download?.pardon(id)
  }

  state(): WarpState {
    return this.#state()
  }

  /**
   * Warps, or says why not. What is stored when it is called off is used the next time.
   * @throws the signal's reason; MolochError with a StoreErrorCode; CONFLICTING_FINALITY if the chain at `path` is not the
   * checkpoint's
   */
  async run(signal: AbortSignal): Promise<WarpOutcome> {
    const started = this.#now()
    const timer = setInterval(() => this.#reporter.tick(this.state(), this.#download, this.#now()), 200)
    try {
      const outcome = await this.#run(signal)
      if (outcome.kind !== 'switched') return outcome
      const seconds = (this.#now() - started) / 1000
      const { height } = outcome
      await Staging.remove(this.#options.folder)
      this.#ports.log.info({ height, seconds, peers: this.#used.size }, `warped to block ${height}`)
      return { kind: 'warped', height, seconds, peersUsed: this.#used.size }
    } catch (error) {
      throw isCalledOff(error, signal) ? signal.reason : error
    } finally {
      clearInterval(timer)
      this.#search.close()
      this.#state = () => ({ phase: 'ended' })
    }
  }

  async #run(
    signal: AbortSignal
  ): Promise<Exclude<WarpOutcome, { kind: 'warped' }> | { readonly kind: 'switched'; readonly height: number }> {
    let held = await this.#heldManifest()
    // Killed when the new database was in its place, and its chunks were still here.
    this.#height = await heightOf(this.#options.path, this.#ports.genesis)
    if (held !== undefined && this.#height >= held.height) return this.#ahead(held.height)
    for (;;) {
      this.#search.prefer(held)
      this.#state = () => this.#searching()
      const complete = held === undefined ? undefined : await this.#imported(held, signal)
      if (complete !== undefined) return complete
      const found = await this.#find(held, signal)
      if (found.kind !== 'found') return found
      await this.#fetch(found.manifest, held, signal)
      held = found.manifest
    }
  }

  /** The snapshot that an earlier run was at, if it is under the checkpoint that is given now. */
  async #heldManifest(): Promise<CheckedManifest | undefined> {
    const bytes = await Staging.manifestIn(this.#options.folder)
    if (bytes === undefined) return undefined
    const check = checkManifest(this.#ports.genesis, bytes, this.#options.checkpoint)
    if (check.ok) return check.manifest
    this.#ports.log.info({ code: check.failure.code }, `the warp begun before is dropped: ${check.failure.message}`)
    return undefined
  }

  #searching(): WarpState {
    const { peers, lastWords } = this.#search
    const { stallAfterMs = DEFAULT_STALL_AFTER_MS } = this.#options
    const since = this.#searchedAt
    const isLong = this.#now() - since >= stallAfterMs
    const stalled = isLong ? { since, ...diagnoseSearch(peers, lastWords) } : undefined
    return { phase: 'searching', peers: peers.length, stalled }
  }

  #find(held: CheckedManifest | undefined, signal: AbortSignal): Promise<SearchOutcome> {
    this.#searchedAt = this.#now()
    const { checkpoint, giveUpMs, gatherMs } = this.#options
    const { snapshotInterval } = this.#ports.genesis.params
    const bounds = { giveUpMs, gatherMs, now: this.#now }
    const begun = held !== undefined && this.#passedOver.has(held) ? undefined : held
    const finding = { search: this.#search, checkpoint, snapshotInterval, height: this.#height, held: begun, ...bounds }
    return findManifest(finding, signal)
  }

  /** Until all chunks are stored, or no more are to be hoped for. */
  async #fetch(manifest: CheckedManifest, held: CheckedManifest | undefined, signal: AbortSignal): Promise<void> {
    const { log } = this.#ports
    const { folder, now: _, ...options } = this.#options
    const staging = await this.#staging(manifest, held)
    const download = new ChunkDownload(this.#ports, {
      manifest,
      staging,
      requestsPerPeer: options.requestsPerPeer ?? DEFAULT_REQUESTS_PER_PEER,
      maxRequests: options.maxRequests ?? DEFAULT_MAX_REQUESTS,
      stallAfterMs: options.stallAfterMs ?? DEFAULT_STALL_AFTER_MS,
      barrenAfterMs: options.barrenAfterMs ?? DEFAULT_BARREN_AFTER_MS,
      penalise: (peer, failure) => this.#penalise(peer, failure),
      onGone: (peer) => this.#search.forget(peer),
      now: this.#now,
      random: options.random ?? Math.random
    })
    this.#search.prefer(manifest)
    this.#download = download
    this.#state = () => download.state()
    const offer = (): void => {
      this.#search.tick()
      for (const { peer, manifest: theirs } of this.#search.offers()) {
        if (equalBytes(theirs.id, manifest.id)) download.setSource(peer)
      }
    }
    offer()
    const offering = setInterval(offer, POLL_MS)
    try {
      const { chunks, chunksDone } = download.state()
      log.info({ height: manifest.height, chunks, chunksDone }, `warp: the snapshot of block ${manifest.height}`)
      const end = await download.run(signal)
      if (end === 'done') return
      if (end === 'barren') this.#passedOver.add(manifest, download.state().chunksDone > 0)
      const snapshot = `the snapshot of block ${manifest.height}`
      const why =
        end === 'lost' ? `nobody serves ${snapshot} any more` : `no chunk of ${snapshot} comes from who offer it`
      log.warn({ height: manifest.height }, `${why}: another is looked for`)
    } finally {
      clearInterval(offering)
      this.#download = undefined
      for (const peer of download.used) this.#used.add(peer)
      await staging.close()
    }
  }

  async #staging(manifest: CheckedManifest, held: CheckedManifest | undefined): Promise<Staging> {
    const { folder } = this.#options
    const chunks = manifest.chunks.length
    if (held !== undefined && equalBytes(held.id, manifest.id)) {
      const resumed = await Staging.resume(folder, chunks)
      if (resumed !== undefined) return resumed
    } else if (held !== undefined) {
      const gone = this.#passedOver.has(held) ? 'does not come' : 'is not served any more'
      const message = `the snapshot of block ${held.height} ${gone}: what is here of it is dropped`
      this.#ports.log.warn({ height: held.height }, `${message}, that of block ${manifest.height} is taken`)
    }
    return Staging.begin(folder, manifest.bytes, chunks)
  }

  /** Makes the database, if all chunks are here. @returns undefined if some are not, or are damaged */
  async #imported(
    manifest: CheckedManifest,
    signal: AbortSignal
  ): Promise<NoSnapshot | { readonly kind: 'switched'; readonly height: number } | undefined> {
    const { path, folder } = this.#options
    const { genesis, log } = this.#ports
    const { height } = manifest
    const chunks = manifest.chunks.length
    const onProgress = (chunksDone: number): void => {
      this.#state = () => ({ phase: 'importing', height, chunks, chunksDone })
    }
    if (!(await importStaged({ genesis, manifest, folder, path, signal, onProgress, log }))) return undefined
    const report = (line: string): void => log.info({ height }, line)
    const { switched } = await switchDatabase(path, genesis, { report, signal })
    if (switched) return { kind: 'switched', height }
    return this.#ahead(height)
  }

  async #ahead(height: number): Promise<NoSnapshot> {
    const { path, folder } = this.#options
    await Staging.remove(folder)
    const message = `the chain in ${path} is as high as the snapshot of block ${height}: there is nothing to warp to`
    return { kind: 'none', code: 'CHAIN_AHEAD', message }
  }

  #penalise(peer: string, failure: PeerFailure): void {
    if (BARRING.test(failure.code)) this.#search.bar(peer)
    this.emit('penalise', peer, failure)
  }
}

/** Whoever sent a bad chunk is no source of any, whatever it offers. */
const BARRING = /^(CHUNK_|BAD_FRAME|FRAME_TOO_LARGE|TOO_MUCH)/
