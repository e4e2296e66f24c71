import type { Stream } from '@libp2p/interface'
import { encode } from 'it-length-prefixed'
import { networkError, toNetworkError } from '../errors.ts'
import { type Frame, FrameDecoder } from './frame-decoder.ts'
import { StreamSource } from './source.ts'

/** The least that a frame limit may be: one frame holds any answer but a block. */
const MIN_FRAME_LIMIT = 1 << 20
/** Room beside a block for its commit (128 signatures are 13 KiB) and the fields around both. */
const COMMIT_ROOM_BYTES = 64 << 10

/** No frame is longer: against declared-length bombs. One block with its commit always fits (protocol §9). */
export function frameLimit(maxBlockBytes: number): number {
  return Math.max(MIN_FRAME_LIMIT, maxBlockBytes + COMMIT_ROOM_BYTES)
}

export interface ReadLimits {
  readonly maxFrameBytes: number
  /** How long the first byte may take: against peers that accept a request and never answer. */
  readonly firstByteMs: number
  /** How long one frame may take from then on: against frames that trickle. */
  readonly frameMs: number
  /** How long all frames together may take: against many slow frames. */
  readonly answerMs: number
}

export type { Frame }

/**
 * The length-prefixed frames of a stream, each a buffer of its own. Times count only while somebody waits for the next
 * frame, so that our own back-pressure never looks like a slow peer. Ends when the remote ends its writing.
 * @throws MolochError PEER_TIMEOUT | PEER_CLOSED | FRAME_TOO_LARGE | BAD_FRAME, or what `input` was failed with
 */
export async function* readFrames(input: StreamSource, limits: ReadLimits): AsyncGenerator<Frame, void, undefined> {
  const frames = wholeFrames(input, limits.maxFrameBytes)
  let leftMs = limits.answerMs
  let waitMs = limits.firstByteMs
  try {
    for (;;) {
      const started = performance.now()
      const next = await timed(input, frames, Math.min(waitMs, leftMs), Math.min(limits.frameMs, leftMs))
      leftMs -= performance.now() - started
      waitMs = limits.frameMs
      if (next.done === true) break
      yield next.value
    }
  } catch (error) {
    throw toNetworkError(error, 'no whole frame')
  } finally {
    input.stop()
  }
}

/** The next frame, or a failed input: after `waitMs` without a byte, or `frameMs` after its first. */
async function timed(
  input: StreamSource,
  frames: AsyncGenerator<Frame>,
  waitMs: number,
  frameMs: number
): Promise<IteratorResult<Frame>> {
  let late: NodeJS.Immediate | undefined
  // After a stall of our own the timers are due before the bytes that have come meanwhile are read: those come first.
  const expire = (ms: number) => (): void => {
    late = setImmediate(() => {
      input.fail(networkError('PEER_TIMEOUT', `nothing whole came for ${Math.round(ms)} ms`))
    })
  }
  const clear = (): void => {
    clearTimeout(timer)
    if (late !== undefined) clearImmediate(late)
  }
  let timer = setTimeout(expire(waitMs), waitMs)
  input.onChunk = () => {
    input.onChunk = undefined
    clear()
    timer = setTimeout(expire(frameMs), frameMs)
  }
  try {
    return await frames.next()
  } finally {
    clear()
    input.onChunk = undefined
  }
}

async function* wholeFrames(input: StreamSource, maxBytes: number): AsyncGenerator<Frame> {
  const decoder = new FrameDecoder(maxBytes)
  for await (const chunk of input) {
    decoder.push(chunk)
    for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) yield frame
  }
  decoder.end()
}

/** Prefixes each frame with its length. */
export function frames(maxFrameBytes: number) {
  return async function* prefix(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) {
    for await (const frame of source) yield encode.single(frame, { maxDataLength: maxFrameBytes })
  }
}

/**
 * The one frame that a side may send, and nothing after it.
 * @throws MolochError as readFrames; PEER_CLOSED for none, BAD_FRAME for more
 */
export async function readOnly(stream: Stream | StreamSource, limits: ReadLimits): Promise<Frame> {
  const input = stream instanceof StreamSource ? stream : new StreamSource(stream)
  let only: Frame | undefined
  for await (const frame of readFrames(input, limits)) {
    if (only !== undefined) throw networkError('BAD_FRAME', 'more than the one frame that the protocol has')
    only = frame
  }
  if (only === undefined) throw networkError('PEER_CLOSED', 'the stream ended without a frame')
  return only
}
