import { messageOf } from '../../error.ts'
import type { HeightRange } from '../../ledger/history.ts'
import { OWN_FAULT } from '../downloads.ts'
import type { PeerFailure, RequestEnd } from '../events.ts'
import type { PieceEvent, PieceFetch } from '../pieces/events.ts'
import { Answer } from './answer.ts'
import { giveWay } from './give-way.ts'
import type { BackfillFault, BackfillPorts } from './types.ts'

export interface FetchingParts {
  readonly ports: Pick<BackfillPorts, 'history' | 'checker' | 'blocks'>
  /** To the scheduler. Never called from within `start`. */
  readonly report: (event: PieceEvent) => void
  /** Blocks that one peer sent are on disk. */
  readonly stored: (peer: string, heights: HeightRange, bytes: number) => void
  /** Something at our own end failed. */
  readonly failed: (code: BackfillFault['code'], message: string) => void
}

/**
 * Runs requests for pieces: each frame is checked and stored as it comes, while the next is on its way, so that two
 * frames a request are in memory and what came is kept whatever comes after it.
 */
export class Fetching {
  readonly #parts: FetchingParts
  readonly #open = new Map<number, AbortController>()
  readonly #running = new Set<Promise<void>>()

  constructor(parts: FetchingParts) {
    this.#parts = parts
  }

  start(fetch: PieceFetch, heights: HeightRange): void {
    const { request } = fetch
    const controller = new AbortController()
    this.#open.set(request, controller)
    const run = this.#run(fetch, heights, controller.signal).finally(() => {
      this.#open.delete(request)
      this.#running.delete(run)
    })
    this.#running.add(run)
  }

  cancel(request: number): void {
    this.#open.get(request)?.abort()
  }

  /** Ends all; resolves when nothing is being checked or written. */
  async close(): Promise<void> {
    for (const controller of this.#open.values()) controller.abort()
    await Promise.all(this.#running)
  }

  async #run({ request, peer, piece }: PieceFetch, heights: HeightRange, signal: AbortSignal): Promise<void> {
    const { history } = this.#parts.ports
    // A fetch that throws at once must not report before the scheduler is done with the action.
    await undefined
    let end: RequestEnd | undefined
    for (;;) {
      const [gap] = history.missing(heights.from, heights.to)
      if (gap === undefined || end !== undefined || signal.aborted) break
      end = await this.#fetch(request, peer, gap, signal)
    }
    if (signal.aborted) return
    this.#parts.report(end === undefined ? { type: 'stored', request, piece } : { type: 'ended', request, end })
  }

  /** @returns undefined if all of `gap` is stored */
  async #fetch(request: number, peer: string, gap: HeightRange, signal: AbortSignal): Promise<RequestEnd | undefined> {
    const answer = new Answer(this.#parts.ports.blocks, peer, gap, signal)
    let storing: Promise<RequestEnd | undefined> = Promise.resolve(undefined)
    for await (const frames of answer) {
      const end = (await storing) ?? surplus(frames.length, answer.at, gap)
      if (end !== undefined || signal.aborted) return end
      storing = this.#store(request, peer, answer.at, frames)
      await giveWay()
    }
    return (await storing) ?? answer.end ?? (answer.at > gap.to ? undefined : { kind: 'complete' })
  }

  /** Never rejects. @returns undefined if all of it is stored */
  async #store(request: number, peer: string, from: number, frames: Uint8Array[]): Promise<RequestEnd | undefined> {
    const { ports, report, stored, failed } = this.#parts
    const fault = ({ code, message }: Omit<PeerFailure, 'height'>, height: number): RequestEnd => ({
      kind: 'fault',
      failure: { code, message, height }
    })
    const results = await ports.checker.checkHistory(frames).catch((error: unknown) => messageOf(error))
    if (typeof results === 'string') {
      failed('VERIFY_FAILED', `history from block ${from} could not be checked: ${results}`)
      return OWN_FAULT
    }
    const good = []
    let bad: RequestEnd | undefined
    for (const result of results) {
      if (result.ok) good.push(result.block)
      else {
        bad = fault(result.failure, from + good.length)
        break
      }
    }
    try {
      const put = await ports.history.put(from, good)
      const bytes = frames.slice(0, put.stored).reduce((sum, frame) => sum + frame.byteLength, 0)
      if (put.stored > 0) {
        stored(peer, { from, to: from + put.stored - 1 }, bytes)
        report({ type: 'received', request, bytes })
      }
      return put.failure === undefined ? bad : fault(put.failure, from + put.stored)
    } catch (error) {
      failed('LEDGER_FAILED', `history from block ${from} could not be written: ${messageOf(error)}`)
      return OWN_FAULT
    }
  }
}

/** The network bounds these too. */
function surplus(frames: number, at: number, gap: HeightRange): RequestEnd | undefined {
  const failure = (code: string, message: string): RequestEnd => ({
    kind: 'fault',
    failure: { code, message, height: at }
  })
  if (frames === 0) return failure('BAD_FRAME', 'a frame of no blocks')
  if (at + frames - 1 > gap.to) return failure('TOO_MUCH', `more than blocks ${gap.from} to ${gap.to}`)
  return undefined
}
