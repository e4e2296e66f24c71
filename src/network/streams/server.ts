import type { Connection, Stream } from '@libp2p/interface'
import { pipe } from 'it-pipe'
import type { Refusal } from '../../codec/generated/sync.ts'
import { hasCode, messageOf } from '../../error.ts'
import type { Log } from '../../log.ts'
import type { Cost } from '../limits.ts'
import { type Frame, frames, type ReadLimits, readOnly } from './frames.ts'
import { refusal, refusalFrame, refusalOf } from './refusal.ts'
import { sink } from './sink.ts'
import { StreamSource } from './source.ts'

/** A peer as a handler sees it. */
export interface Asker {
  readonly peerId: string
  readonly connection: Connection
  /** What an answer came to beside its bytes, which are counted for it. */
  readonly charge: (cost: Cost) => void
  /** Calls back once when the stream is closed, whole or broken off. */
  readonly onGone: (listener: () => void) => void
}

/** Answers one request with frames; what it throws becomes a refusal frame. Pulled only as the peer takes the frames. */
export type Handler = (request: Frame, asker: Asker) => AsyncIterable<Uint8Array> | Iterable<Uint8Array>

export type Admitted =
  | { readonly refused: Refusal }
  | { readonly charge: (cost: Cost) => void; readonly leave: () => void }

export interface ServeOptions {
  readonly protocol: string
  readonly handle: Handler
  /** Decides by the connection alone, before anything is read. */
  readonly admit: (connection: Connection) => Admitted
  readonly limits: ReadLimits & { readonly stallMs: number; readonly graceMs: number }
  /** Of an answer's frames; `limits` hold for the request. */
  readonly maxAnswerFrameBytes: number
  readonly log: Log
}

/**
 * Serves one inbound stream: one request, an answer of frames, and both sides closed. Never throws: a peer that
 * breaks off costs a debug line. A refusal is a frame; only a peer that does not close its own side meets a reset.
 */
export async function serve(stream: Stream, connection: Connection, options: ServeOptions): Promise<void> {
  // Before any await: what the peer has sent by then would be lost to a later reader.
  const input = new StreamSource(stream)
  const peerId = connection.remotePeer.toString()
  const admitted = options.admit(connection)
  const asker: Asker = {
    peerId,
    connection,
    charge: 'charge' in admitted ? admitted.charge : () => {},
    onGone: (listener) => stream.addEventListener('close', () => listener(), { once: true })
  }
  // A handler that hangs must not hold the place of a stream that is gone.
  if ('leave' in admitted) stream.addEventListener('close', admitted.leave, { once: true })
  try {
    const answer =
      'refused' in admitted
        ? [refusalFrame(admitted.refused)]
        : charged(answers(input, asker, options), admitted.charge)
    await pipe(answer, frames(options.maxAnswerFrameBytes), sink(stream, options.limits))
    input.stop()
    // What it sends from now on is dropped: kept unread it would be megabytes a stream.
    await stream.closeRead()
    await settle(stream, options.limits.graceMs)
  } catch (error) {
    options.log.debug({ peer: asker.peerId, protocol: options.protocol, err: messageOf(error) }, 'answer broken off')
    stream.abort(error instanceof Error ? error : new Error('answer broken off'))
  } finally {
    input.stop()
    if ('leave' in admitted) admitted.leave()
  }
}

/** Counts each frame. */
async function* charged(frames: AsyncIterable<Uint8Array>, charge: Asker['charge']): AsyncGenerator<Uint8Array> {
  for await (const frame of frames) {
    charge({ bytes: frame.byteLength })
    yield frame
  }
}

async function* answers(input: StreamSource, asker: Asker, options: ServeOptions): AsyncGenerator<Uint8Array> {
  let request: Frame
  try {
    request = await readOnly(input, options.limits)
  } catch (error) {
    // A request that is late may be our own stall: nothing that the peer should be told to mend.
    const code = hasCode(error, 'PEER_TIMEOUT') ? 'UNAVAILABLE' : 'BAD_REQUEST'
    yield refusalFrame(refusal(code, messageOf(error)))
    return
  }
  try {
    yield* options.handle(request, asker)
  } catch (error) {
    // The peer has left: nobody is there to be told.
    if (hasCode(error, 'PEER_CLOSED')) throw error
    const refused = refusalOf(error)
    if (refused === undefined) {
      const details = { peer: asker.peerId, protocol: options.protocol, err: messageOf(error) }
      options.log.warn(details, 'a request could not be answered')
    }
    yield refusalFrame(refused ?? refusal('UNAVAILABLE', 'this node cannot answer now'))
  }
}

/** Our side is closed; a peer that does not close its own within `graceMs` would hold a stream slot for ever. */
async function settle(stream: Stream, graceMs: number): Promise<void> {
  if (stream.status !== 'open' && stream.status !== 'closing') return
  let timer: NodeJS.Timeout | undefined
  let closed = (): void => {}
  const gone = new Promise<boolean>((resolve) => {
    closed = () => resolve(true)
    stream.addEventListener('close', closed)
    timer = setTimeout(() => resolve(false), graceMs)
  })
  const whole = await gone
  clearTimeout(timer)
  stream.removeEventListener('close', closed)
  if (!whole) stream.abort(new Error('the peer left its side of the stream open'))
}
