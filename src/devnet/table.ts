/** The picture of a running devnet: a table that is redrawn on a terminal, else a line now and then. */
import type { stderrTerminal } from '../lines.ts'
import type { NodeStatus } from './api-client.ts'
import type { FeedStats } from './feeder.ts'

export interface Picture {
  readonly names: readonly string[]
  readonly statuses: ReadonlyMap<string, NodeStatus>
  readonly feed: FeedStats
  readonly target: string
  readonly elapsedMs: number
  readonly note: string
}

const COLUMNS = ['node', 'state', 'height', 'pending', 'sync', 'peers', 'mempool'] as const
/** Room for what comes and goes, so that the table does not twitch. */
const LEAST_WIDTHS = [0, 11, 6, 10, 6, 5, 7]

/** The table's lines, no wider than `width`. */
export function tableLines(picture: Picture, width: number): string[] {
  const rows = picture.names.map((name) => rowOf(name, picture.statuses.get(name)))
  const widths = COLUMNS.map((title, i) =>
    Math.max(LEAST_WIDTHS[i] as number, title.length, ...rows.map((row) => (row[i] as string).length))
  )
  const format = (row: readonly string[]) =>
    row.map((cell, i) => (i < 2 || i === 4 ? cell.padEnd(widths[i] as number) : cell.padStart(widths[i] as number)))
  return [
    summaryLine(picture),
    '',
    ...[COLUMNS, ...rows].map((row) => format(row).join('  ').trimEnd()),
    ...(picture.note === '' ? [] : ['', picture.note])
  ].map((line) => line.slice(0, width))
}

/** Everything in one line, for logs. */
export function summaryLine({ statuses, feed, target, elapsedMs }: Picture): string {
  const heights = [...statuses.values()].map((status) => status.finalized.height)
  const events = Math.max(0, ...[...statuses.values()].map((status) => status.event_total ?? 0))
  const { p50, p99 } = feed
  return [
    `${(elapsedMs / 1000).toFixed(0)} s`,
    `height ${heights.length > 0 ? Math.max(...heights) : '-'}${target}`,
    `events ${feed.submitted} submitted, ${events} finalized`,
    ...(p50 === undefined || p99 === undefined ? [] : [`finality p50 ${p50} ms, p99 ${p99} ms`]),
    `${statuses.size} nodes answer`
  ].join(' · ')
}

function rowOf(name: string, status: NodeStatus | undefined): readonly string[] {
  if (status === undefined) return [name, 'not running', '-', '-', '-', '-', '-']
  const { pending, sync } = status
  const stalled = sync.stalled === null ? '' : ` ${sync.stalled.code}`
  return [
    name,
    status.state,
    String(status.finalized.height),
    pending === null ? '-' : `${pending.height} (${pending.signatures}/${pending.needed})`,
    `${sync.strategy}${sync.strategy === 'range' ? ` → ${sync.target_height}` : ''}${stalled}`,
    String(status.peers.connected),
    String(status.mempool.events)
  ]
}

const LINE_EVERY_MS = 10_000

type Out = Pick<typeof stderrTerminal, 'isTTY' | 'columns' | 'write'>

/** Draws pictures. */
export class Screen {
  readonly #out: Out
  #drawn = 0
  #lastLine = Number.NEGATIVE_INFINITY

  constructor(out: Out) {
    this.#out = out
  }

  draw(picture: Picture): void {
    if (!this.#out.isTTY) {
      if (picture.elapsedMs - this.#lastLine < LINE_EVERY_MS) return
      this.#lastLine = picture.elapsedMs
      this.#out.write(`${summaryLine(picture)}\n`)
      return
    }
    const lines = tableLines(picture, Math.max(20, this.#out.columns - 1))
    // Up to the first line of the last picture, then over it; what was longer is cleared.
    this.#out.write(`${this.#up()}${lines.map((line) => `${line}\x1b[K\n`).join('')}\x1b[J`)
    this.#drawn = lines.length
  }

  /** A line that stays, above the table. */
  say(line: string): void {
    this.#out.write(`${this.#up()}${this.#drawn > 0 ? '\x1b[J' : ''}${line}\n`)
    this.#drawn = 0
  }

  #up(): string {
    return this.#drawn > 0 ? `\x1b[${this.#drawn}A\r` : ''
  }
}
