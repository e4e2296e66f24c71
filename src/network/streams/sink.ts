import type { Stream } from '@libp2p/interface'
import { networkError, toNetworkError } from '../errors.ts'
import type { Chunk } from './source.ts'

export interface SinkOptions {
  /** How long the other end may take to make room for what was sent: against readers that never read. */
  readonly stallMs: number
}

/**
 * A libp2p stream's writable side for it-pipe: takes the next chunk only when the last one has gone to the muxer, and
 * closes the writable side when the source ends. So at most one chunk and what the source itself holds is in memory.
 * @throws MolochError PEER_TIMEOUT | PEER_CLOSED, and whatever the source throws
 */
export function sink(stream: Stream, options: SinkOptions): (source: AsyncIterable<Chunk>) => Promise<void> {
  return async (source) => {
    await room(stream, options.stallMs)
    for await (const chunk of source) {
      try {
        stream.send(chunk)
      } catch (error) {
        throw toNetworkError(error, 'the peer stopped reading')
      }
      await room(stream, options.stallMs)
    }
    await closeWrite(stream, options.stallMs)
  }
}

/** Closes the writable side once all is sent; never waits longer than `stallMs`. */
async function closeWrite(stream: Stream, stallMs: number): Promise<void> {
  await until(stream, stallMs, () => stream.writeBufferLength === 0 && !stream.writableNeedsDrain)
  try {
    await stream.close()
  } catch (error) {
    throw toNetworkError(error, 'the peer closed the stream before it had all')
  }
}

function room(stream: Stream, stallMs: number): Promise<void> {
  return until(stream, stallMs, () => !stream.writableNeedsDrain)
}

/** stream.onDrain() resolves only once in a stream's life, so the events themselves are waited for. */
async function until(stream: Stream, stallMs: number, done: () => boolean): Promise<void> {
  if (done()) return
  if (closed(stream)) throw networkError('PEER_CLOSED', 'the stream closed while it was written to')
  let settle: (error?: Error) => void = () => {}
  const check = (): void => {
    // The stream sends on in a microtask that it queues before its listeners run; look after it.
    queueMicrotask(() => {
      if (done()) settle()
      else if (closed(stream)) settle(networkError('PEER_CLOSED', 'the stream closed while it was written to'))
    })
  }
  const timer = setTimeout(() => {
    settle(networkError('PEER_TIMEOUT', `the peer took nothing more for ${stallMs} ms`))
  }, stallMs)
  stream.addEventListener('drain', check)
  stream.addEventListener('idle', check)
  stream.addEventListener('close', check)
  try {
    await new Promise<void>((resolve, reject) => {
      settle = (error) => (error === undefined ? resolve() : reject(error))
    })
  } finally {
    clearTimeout(timer)
    stream.removeEventListener('drain', check)
    stream.removeEventListener('idle', check)
    stream.removeEventListener('close', check)
  }
}

function closed(stream: Stream): boolean {
  return stream.status !== 'open' && stream.status !== 'closing'
}
