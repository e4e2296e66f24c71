import type { Connection, Stream } from '@libp2p/interface'
import { pipe } from 'it-pipe'
import { hasCode } from '../../error.ts'
import { networkError, toNetworkError } from '../errors.ts'
import { type Frame, frames, type ReadLimits, readFrames } from './frames.ts'
import { sink } from './sink.ts'
import { StreamSource } from './source.ts'

export interface RequestLimits extends ReadLimits {
  /** How long opening the stream may take (protocol negotiation). */
  readonly openMs: number
  /** How long the peer may take to make room for the request. */
  readonly stallMs: number
}

/**
 * Sends one request on a stream of its own and yields the frames of the answer as they are asked for. Leaving the loop
 * early, an error or `signal` ends the stream.
 * @throws MolochError with a NetworkErrorCode
 */
export async function* request(
  connection: Connection,
  protocol: string,
  message: Uint8Array,
  limits: RequestLimits,
  signal?: AbortSignal
): AsyncGenerator<Frame, void, undefined> {
  const details = { peer: connection.remotePeer.toString(), protocol }
  const stream = await open(connection, protocol, limits.openMs, signal)
  const input = new StreamSource(stream)
  const abort = (): void => input.fail(networkError('ABORTED', 'the request was called off', details))
  let whole = false
  try {
    if (signal?.aborted === true) throw networkError('ABORTED', 'the request was called off', details)
    signal?.addEventListener('abort', abort)
    // Written while the answer is read: a refusal may come before the server has taken the request. If writing fails
    // the reading ends too, and its error says more.
    const sent = pipe([message], frames(limits.maxFrameBytes), sink(stream, limits)).then(
      () => true,
      () => false
    )
    yield* readFrames(input, limits)
    whole = await sent
  } catch (error) {
    throw toNetworkError(error, protocol, details)
  } finally {
    signal?.removeEventListener('abort', abort)
    input.stop()
    if (!whole) stream.abort(new Error('the rest of the answer is not wanted'))
  }
}

/** The one frame of an answer. @throws as `request`; BAD_FRAME if there is more */
export async function requestOne(
  connection: Connection,
  protocol: string,
  message: Uint8Array,
  limits: RequestLimits,
  signal?: AbortSignal
): Promise<Frame> {
  const details = { peer: connection.remotePeer.toString(), protocol }
  let only: Frame | undefined
  try {
    for await (const frame of request(connection, protocol, message, limits, signal)) {
      if (only !== undefined) throw networkError('BAD_FRAME', `${protocol}: more frames than one`, details)
      only = frame
    }
  } catch (error) {
    // A connection that ends after the whole answer has ended nothing: one that is refused at Hello ends so.
    if (only === undefined || !hasCode(error, 'PEER_CLOSED')) throw error
  }
  if (only === undefined) throw networkError('PEER_CLOSED', `${protocol}: closed without an answer`, details)
  return only
}

/** A negotiated stream. Its timer is cleared and its listener removed: AbortSignal.any and .timeout leave both behind. */
export async function open(
  connection: Connection,
  protocol: string,
  openMs: number,
  signal?: AbortSignal
): Promise<Stream> {
  const details = { peer: connection.remotePeer.toString(), protocol }
  if (signal?.aborted === true) throw networkError('ABORTED', 'the request was called off', details)
  const deadline = new AbortController()
  const timer = setTimeout(() => {
    deadline.abort(networkError('PEER_TIMEOUT', `${protocol}: no stream within ${openMs} ms`, details))
  }, openMs)
  const abort = (): void => deadline.abort(networkError('ABORTED', 'the request was called off', details))
  signal?.addEventListener('abort', abort)
  try {
    return await connection.newStream(protocol, { signal: deadline.signal })
  } catch (error) {
    throw toNetworkError(deadline.signal.aborted ? deadline.signal.reason : error, protocol, details)
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
  }
}
