import type { RangeKind } from './policy/kind.ts'
import type { RangeStatus } from './range.ts'
import type { SyncState } from './types.ts'

/** Rates are taken over this long: short enough to follow, long enough not to jump. */
const WINDOW_MS = 10_000
/** Samples closer than this are put together. */
const SAMPLE_MS = 100
/** Letters shown. */
const MAX_LETTERS = 16

const LETTERS: Readonly<Record<RangeStatus, string>> = {
  AwaitingDownload: '_',
  Downloading: 'D',
  AwaitingVerify: 'v',
  Verifying: 'V',
  AwaitingCommit: 'c',
  Committing: 'C',
  Done: ''
}

interface Sample {
  readonly at: number
  blocks: number
  bytes: number
}

/** Blocks and bytes a second over the last ten seconds. */
export class Meter {
  readonly #samples: Sample[] = []
  #since: number

  constructor(at: number) {
    this.#since = at
  }

  reset(at: number): void {
    this.#samples.length = 0
    this.#since = at
  }

  add(blocks: number, bytes: number, at: number): void {
    const last = this.#samples.at(-1)
    if (last !== undefined && at - last.at < SAMPLE_MS) {
      last.blocks += blocks
      last.bytes += bytes
    } else this.#samples.push({ at, blocks, bytes })
  }

  rates(at: number): { blocksPerSecond: number; bytesPerSecond: number } {
    while (this.#samples.length > 0 && (this.#samples[0] as Sample).at < at - WINDOW_MS) this.#samples.shift()
    const seconds = Math.max(SAMPLE_MS, Math.min(WINDOW_MS, at - this.#since)) / 1000
    let blocks = 0
    let bytes = 0
    for (const sample of this.#samples) {
      blocks += sample.blocks
      bytes += sample.bytes
    }
    return { blocksPerSecond: blocks / seconds, bytesPerSecond: bytes / seconds }
  }
}

/**
 * One line for people: ETA, share, heights, rates, peers, and a letter a range from the front (`_` waits, `D` on its
 * way, `v`/`V` to be checked/being checked, `c`/`C` to be written/being written).
 */
export function progressLine(state: SyncState, noun: RangeKind['noun'] = 'block'): string {
  const { height, targetHeight, blocksPerSecond, bytesPerSecond, peers, etaSeconds } = state
  const share = targetHeight === 0 ? 100 : (100 * height) / targetHeight
  const eta = etaSeconds === undefined ? '?' : duration(etaSeconds)
  const letters = state.ranges
    .slice(0, MAX_LETTERS)
    .map((range) => LETTERS[range.status])
    .join('')
  const rates = `${blocksPerSecond.toFixed(1)} ${noun}s/s ${(bytesPerSecond / 1e6).toFixed(1)} MB/s`
  return `${eta} (${share.toFixed(2)}%) ${height}/${targetHeight} ${rates} ${peers} peers ${letters}`.trimEnd()
}

export function duration(seconds: number): string {
  const s = Math.ceil(seconds)
  if (s < 60) return `${s}s`
  if (s < 3600) return `${Math.floor(s / 60)}m${String(s % 60).padStart(2, '0')}s`
  return `${Math.floor(s / 3600)}h${String(Math.floor((s % 3600) / 60)).padStart(2, '0')}m`
}
