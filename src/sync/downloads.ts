import { MolochError, messageOf } from '../error.ts'
import type { RequestEnd, SchedulerAction, SchedulerEvent } from './events.ts'
import type { Syncable, SyncItems } from './types.ts'

interface Download {
  readonly start: number
  readonly count: number
  readonly controller: AbortController
  readonly blocks: Uint8Array[]
}

/** What no honest peer sends, by network error code. */
const FAULTS: ReadonlySet<string> = new Set(['BAD_FRAME', 'FRAME_TOO_LARGE', 'TOO_MUCH'])

/** Runs requests and keeps what they bring until it is taken or dropped. */
export class Downloads {
  readonly #items: Pick<SyncItems<Syncable>, 'kind' | 'fetch'>
  readonly #frameBytes: number
  readonly #report: (event: SchedulerEvent) => void
  readonly #downloads = new Map<number, Download>()
  readonly #running = new Set<Promise<void>>()

  constructor(
    items: Pick<SyncItems<Syncable>, 'kind' | 'fetch'>,
    frameBytes: number,
    report: (event: SchedulerEvent) => void
  ) {
    this.#items = items
    this.#frameBytes = frameBytes
    this.#report = report
  }

  start({ request, peer, start, count }: Extract<SchedulerAction, { type: 'request' }>): void {
    const download: Download = { start, count, controller: new AbortController(), blocks: [] }
    this.#downloads.set(request, download)
    const run = this.#run(request, peer, download).finally(() => this.#running.delete(run))
    this.#running.add(run)
  }

  /** Ends the request; what came stays. */
  stop(request: number): void {
    this.#downloads.get(request)?.controller.abort()
  }

  /** Ends the request and frees what came. */
  drop(request: number): void {
    this.stop(request)
    this.#downloads.delete(request)
  }

  /** The first `count` blocks that a request brought; the rest is freed. */
  take(request: number, count: number): Uint8Array[] {
    const download = this.#downloads.get(request)
    this.drop(request)
    return download === undefined ? [] : download.blocks.slice(0, count)
  }

  /** Ends all and waits until they have. */
  async close(): Promise<void> {
    for (const request of [...this.#downloads.keys()]) this.drop(request)
    await Promise.all(this.#running)
  }

  async #run(request: number, peer: string, download: Download): Promise<void> {
    const { start, count, controller } = download
    let end: RequestEnd = { kind: 'complete' }
    try {
      // A fetch that throws at once must not report before the scheduler is done with the action.
      await undefined
      for await (const blocks of this.#items.fetch(peer, { start, count }, controller.signal)) {
        if (controller.signal.aborted) return
        const bytes = blocks.reduce((sum, block) => sum + block.byteLength, 0)
        const fault = this.#faultOf(download, blocks.length, bytes)
        if (fault !== undefined) {
          end = fault
          break
        }
        for (const block of blocks) download.blocks.push(block)
        this.#report({ type: 'received', request, blocks: blocks.length, bytes })
        if (controller.signal.aborted) return
      }
    } catch (error) {
      end = endOf(error, start + download.blocks.length)
    }
    if (!controller.signal.aborted) this.#report({ type: 'ended', request, end })
  }

  /** The network bounds these too; the byte bound here rests on them. */
  #faultOf(download: Download, blocks: number, bytes: number): RequestEnd | undefined {
    const { noun } = this.#items.kind
    const height = download.start + download.blocks.length
    const fault = (code: string, message: string): RequestEnd => ({ kind: 'fault', failure: { code, message, height } })
    if (blocks === 0) return fault('BAD_FRAME', `a frame of no ${noun}s`)
    if (download.blocks.length + blocks > download.count) {
      return fault('TOO_MUCH', `more than the ${download.count} ${noun}s asked for`)
    }
    if (bytes > this.#frameBytes) {
      return fault('FRAME_TOO_LARGE', `a frame of ${bytes} bytes; accepted: at most ${this.#frameBytes}`)
    }
    return undefined
  }
}

/** How a request ended that threw. */
export function endOf(error: unknown, height: number): RequestEnd {
  if (!(error instanceof MolochError)) return { kind: 'failed', code: 'PEER_CLOSED' }
  const { code, details } = error
  if (code === 'RATE_LIMITED') {
    const after = details.retryAfterMs
    return { kind: 'limited', retryAfterMs: typeof after === 'number' && after >= 0 ? after : undefined }
  }
  if (code === 'UNAVAILABLE' || code === 'NOT_READY') return { kind: 'unavailable', code }
  if (FAULTS.has(code)) return { kind: 'fault', failure: { code, message: messageOf(error), height } }
  return { kind: 'failed', code }
}

/** A request that ended for a reason of our own: nobody is to blame, and it is made again. */
export const OWN_FAULT: Extract<RequestEnd, { kind: 'unavailable' }> = { kind: 'unavailable', code: 'OWN_FAULT' }
