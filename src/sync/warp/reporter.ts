import type { Log } from '../../log.ts'
import { duration } from '../progress.ts'
import type { ChunkDownload } from './download.ts'
import type { WarpState } from './types.ts'

const LIVE_MS = 1_000
const LOG_MS = 10_000

/** Says how a warp goes, or why it does not: to the log, and to who shows a live line. */
export class WarpReporter {
  readonly #log: Log
  readonly #show: (state: WarpState, line: string) => boolean
  #liveAt = 0
  #loggedAt = 0

  /** @param show whether somebody shows it; the log is spared then */
  constructor(log: Log, show: (state: WarpState, line: string) => boolean) {
    this.#log = log
    this.#show = show
  }

  /** A few times a second. */
  tick(state: WarpState, download: ChunkDownload | undefined, at: number): void {
    const { change, stall } = download?.watch() ?? { change: undefined, stall: undefined }
    if (change === 'resumed') this.#log.info({}, 'warp goes on')
    else if (change !== undefined && stall !== undefined) {
      this.#log.warn({ code: stall.code }, `warp is stalled: ${stall.message}`)
    }
    if (at - this.#liveAt < LIVE_MS) return
    this.#liveAt = at
    const line = warpLine(state)
    if (this.#show(state, line) || at - this.#loggedAt < LOG_MS) return
    this.#loggedAt = at
    this.#log.info({}, `warp ${line}`)
  }
}

/** One line for people. */
export function warpLine(state: WarpState): string {
  switch (state.phase) {
    case 'searching':
      return `looks for a snapshot at ${state.peers} peers${state.stalled ? `: ${state.stalled.message}` : ''}`
    case 'downloading': {
      const { etaSeconds, chunks, chunksDone, height, bytesPerSecond, peers } = state
      const eta = etaSeconds === undefined ? '?' : duration(etaSeconds)
      const share = ((100 * chunksDone) / chunks).toFixed(2)
      const rate = (bytesPerSecond / 1e6).toFixed(1)
      return `${eta} (${share}%) ${chunksDone}/${chunks} chunks of block ${height} ${rate} MB/s ${peers} peers`
    }
    case 'importing':
      return `imports the snapshot of block ${state.height}: ${state.chunksDone}/${state.chunks} chunks`
    case 'ended':
      return 'is done'
  }
}
