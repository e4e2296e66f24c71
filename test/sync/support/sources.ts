import { setTimeout as sleep } from 'node:timers/promises'
import { MolochError } from '../../../src/error.ts'
import type { Fetch } from '../../../src/sync/types.ts'

export interface Request {
  readonly peer: string
  readonly start: number
  readonly count: number
}

/** What one peer answers: frames of FinalizedBlocks, or an error. */
export type Source = (request: Request, signal: AbortSignal) => AsyncIterable<Uint8Array[]>

/** Peers in this process, each a function; an aborted request ends as the network's would. */
export class Sources {
  readonly requests: Request[] = []
  readonly #sources: Readonly<Record<string, Source>>

  constructor(sources: Readonly<Record<string, Source>>) {
    this.#sources = sources
  }

  readonly fetch: Fetch = (peer, range, signal) => {
    const source = this.#sources[peer]
    if (source === undefined) throw new MolochError('PEER_UNKNOWN', `${peer} is not connected`)
    const request = { peer, ...range }
    this.requests.push(request)
    return source(request, signal)
  }

  /** Peers that were asked. */
  get asked(): Set<string> {
    return new Set(this.requests.map(({ peer }) => peer))
  }
}

/** `frames[0]` is height 1. Frames are copies, as what comes from a network is. */
export function blocksOf(frames: readonly Uint8Array[], { start, count }: Request): Uint8Array[] {
  return frames.slice(start - 1, start - 1 + count).map((frame) => frame.slice())
}

/** An honest peer that sends `perFrame` blocks at a time, after a pause each if told so. */
export function honest(frames: readonly Uint8Array[], perFrame = 16, pauseMs = 0): Source {
  return async function* (request, signal) {
    const blocks = blocksOf(frames, request)
    if (blocks.length === 0) throw new MolochError('UNAVAILABLE', `no block ${request.start}`)
    for (let i = 0; i < blocks.length; i += perFrame) {
      if (pauseMs > 0) await pause(pauseMs, signal)
      yield blocks.slice(i, i + perFrame)
    }
  }
}

/** Never answers; times out after `ms`. */
export function silent(ms: number): Source {
  // biome-ignore lint/correctness/useYield: it has nothing to yield
  return async function* (_request, signal) {
    await pause(ms, signal)
    throw new MolochError('PEER_TIMEOUT', 'no byte came')
  }
}

/** Answers each request with at most `most` blocks. */
export function short(frames: readonly Uint8Array[], most: number): Source {
  return (request, signal) => honest(frames)({ ...request, count: Math.min(most, request.count) }, signal)
}

/** An honest peer but for one height, where it sends `bad`. */
export function lying(frames: readonly Uint8Array[], height: number, bad: Uint8Array): Source {
  return honest(frames.with(height - 1, bad))
}

export function refusing(code: string, details: Record<string, unknown> = {}): Source {
  // biome-ignore lint/correctness/useYield: it has nothing to yield
  return async function* () {
    await undefined
    throw new MolochError(code, 'refused', details)
  }
}

/** The milliseconds are part of what is tested: a peer that is slow. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal })
  } catch {
    throw new MolochError('ABORTED', 'the request was called off')
  }
}
