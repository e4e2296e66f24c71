import { hasCode, messageOf } from '../error.ts'
import { type Checked, checkRange } from './checking.ts'
import { Downloads } from './downloads.ts'
import type { SchedulerAction, SchedulerEvent } from './events.ts'
import type { StallCode, Syncable, SyncPorts } from './types.ts'
import { type Written, writeRange } from './writing.ts'

/** What the pipeline does; the rest of the scheduler's actions is for people and peers. */
export type Work = Exclude<SchedulerAction, { type: 'penalise' | 'failed' }>

type Of<Type extends Work['type']> = Extract<Work, { type: Type }>

export interface PipelineOptions<Item extends Syncable> {
  readonly ports: SyncPorts<Item>
  readonly frameBytes: number
  /** To the scheduler. Never called from within `act`. */
  report(event: SchedulerEvent): void
  /** Items that one peer sent are on disk; `bytes` is what they came as. */
  written(peer: string, count: number, bytes: number): void
  /** Something at our own end failed; it is tried again. */
  failed(code: StallCode, message: string): void
  /** It works again. */
  works(code: StallCode): void
  /** Two commits for one height. */
  conflict(message: string): void
}

/**
 * Does what the scheduler says: downloads, checks and writes, all at the same time. It holds the bytes; how many there
 * may be is the scheduler's to say.
 */
export class Pipeline<Item extends Syncable> {
  readonly #options: PipelineOptions<Item>
  readonly #downloads: Downloads
  /** Checked items by range. */
  readonly #checked = new Map<number, Item[]>()
  readonly #work = new Set<Promise<void>>()
  readonly #closing = new AbortController()

  constructor(options: PipelineOptions<Item>) {
    this.#options = options
    this.#downloads = new Downloads(options.ports.items, options.frameBytes, options.report)
  }

  act(action: Work): void {
    switch (action.type) {
      case 'request':
        this.#downloads.start(action)
        break
      case 'stop':
        this.#downloads.stop(action.request)
        break
      case 'drop':
        this.#downloads.drop(action.request)
        break
      case 'verify':
        this.#track(this.#verify(action))
        break
      case 'commit':
        this.#track(this.#commit(action))
        break
      case 'forget':
        this.#checked.delete(action.range)
        break
    }
  }

  /** Ends all requests; resolves when nothing is being checked or written. */
  async close(): Promise<void> {
    this.#closing.abort()
    await this.#downloads.close()
    while (this.#work.size > 0) await Promise.all(this.#work)
    this.#checked.clear()
  }

  #track(work: Promise<void>): void {
    const tracked = work.finally(() => this.#work.delete(tracked))
    this.#work.add(tracked)
  }

  async #verify({ range, request, start, count }: Of<'verify'>): Promise<void> {
    const { ports, report, failed, works } = this.#options
    const frames = this.#downloads.take(request, count)
    let checked: Checked<Item>
    try {
      checked = await checkRange(ports.items, start, frames)
    } catch (error) {
      failed('VERIFY_FAILED', `${this.#plural} from ${start} could not be checked: ${messageOf(error)}`)
      report({ type: 'verify-failed', range })
      return
    }
    works('VERIFY_FAILED')
    const { good, failure } = checked
    this.#checked.set(range, good)
    const about = failure === undefined ? {} : { failure }
    report({ type: 'verified', range, good: good.length, goodBytes: this.#wireBytes(good), ...about })
  }

  async #commit({ ranges }: Of<'commit'>): Promise<void> {
    const { ports, report, failed, works, conflict } = this.#options
    const parts = ranges.map(({ range, peer }) => ({ peer, items: this.#checked.get(range) ?? [] }))
    const items = parts.flatMap((part) => part.items)
    let written: Written
    try {
      written = await writeRange(ports.ledger, ports.items, items, (item) => {
        const sender = parts.find((part) => part.items.includes(item))?.peer
        return this.#rival(sender as string, item.height - 1)
      })
    } catch (error) {
      if (hasCode(error, 'CONFLICTING_FINALITY')) conflict(messageOf(error))
      else failed('LEDGER_FAILED', `${this.#plural} from ${items[0]?.height} could not be written: ${messageOf(error)}`)
      report({ type: 'commit-failed' })
      return
    }
    works('LEDGER_FAILED')
    const { applied, failure } = written
    let left = applied
    for (const part of parts) {
      const good = part.items.slice(0, left)
      if (good.length > 0) this.#options.written(part.peer, good.length, this.#wireBytes(good))
      left -= good.length
    }
    report({ type: 'committed', applied, ...(failure === undefined ? {} : { failure }) })
  }

  /** The certified item that `peer` has at `height`; undefined if it does not give it. */
  async #rival(peer: string, height: number): Promise<Item | undefined> {
    if (height === 0) return undefined
    const { items, log } = this.#options.ports
    try {
      for await (const frames of items.fetch(peer, { start: height, count: 1 }, this.#closing.signal)) {
        return (await checkRange(items, height, frames.slice(0, 1), true)).good[0]
      }
    } catch (error) {
      log.debug({ peer, height, err: messageOf(error) }, `a peer on another chain does not show its ${items.kind.noun}`)
    }
    return undefined
  }

  get #plural(): string {
    return `${this.#options.ports.items.kind.noun}s`
  }

  #wireBytes(items: readonly Item[]): number {
    return items.reduce((sum, item) => sum + this.#options.ports.items.wireBytes(item), 0)
  }
}
