import { yamux } from '@chainsafe/libp2p-yamux'
import type { Connection, MessageStream, Stream } from '@libp2p/interface'
import type { Uint8ArrayList } from 'uint8arraylist'
import { boundNegotiation } from './negotiation.ts'
import { CompactList } from './streams/compact-list.ts'
import { type Rate, TokenBucket } from './token-bucket.ts'

/** How one stream's buffers are bounded. */
interface StreamLimits {
  /** How far its sender may be ahead of its reader. */
  readonly maxStreamWindowSize: number
  /** What it may hold while it is paused; one window always fits, so that pausing never resets. */
  readonly maxReadBufferLength: number
}

/** What a connection may have of streams. */
interface Allowance {
  readonly limits: StreamLimits
  /** Streams that the peer has open, all protocols. Ours have limits of their own far below. */
  readonly open: number
  /** Streams that it opens: each costs a negotiation and a row of the peer store, before any quota is asked. */
  readonly opened: Rate
  /** Frames, some microseconds each, that may say nothing: of no bytes, or of a stream that there is not. */
  readonly frames: Rate
  /** Pings: each is answered. */
  readonly pings: Rate
}

/** Before Hello: its hello, identify and gossip, each some times over. The window is the least that Yamux knows. */
const STRANGER: Allowance = {
  limits: { maxStreamWindowSize: 256 << 10, maxReadBufferLength: 512 << 10 },
  open: 8,
  opened: { burst: 64, perSecond: 4 },
  // Its gossip may come before we know that it has passed.
  frames: { burst: 2048, perSecond: 256 },
  pings: { burst: 16, perSecond: 1 }
}
/** libp2p's own default of 16 MiB a window is more than the read buffer holds. */
const MEMBER: Allowance = {
  limits: { maxStreamWindowSize: 2 << 20, maxReadBufferLength: 4 << 20 },
  open: 256,
  // All quotas together grant some 330 requests a second.
  opened: { burst: 1024, perSecond: 512 },
  frames: { burst: 65_536, perSecond: 16_384 },
  // Others measure the round trip once in ten to thirty seconds.
  pings: { burst: 64, perSecond: 4 }
}

/** Of a frame of Yamux. */
const HEADER_BYTES = 12
const PING = 2

/** What the classes have and their interfaces have not; a test holds that they still do. */
interface Muxer {
  readonly decoder: { buffer: CompactList }
  readonly streams: (Stream & Partial<StreamLimits>)[]
  streamOptions?: Partial<StreamLimits>
  maxInboundStreams: number
  _newStream(...of: unknown[]): { readBuffer: CompactList }
  onRemoteStream(stream: Stream): void
  handleFrame(frame: { readonly header: { readonly type: number } }): void
  onData(bytes: unknown): void
}
type Sender = MessageStream & { maxWriteBufferLength?: number; readonly decoder?: { buffer: CompactList } }

/**
 * Yamux with what a peer may hold of us by streams: little before it has passed Hello, and no more than it has sent. And what it makes us say, pings and
 * refusals among it, it has to read: without a bound that would wait in memory.
 */
export class Muxers {
  readonly #maxUnsentBytes: number
  /** By the list that a muxer and its connection share. */
  readonly #members = new WeakMap<readonly Stream[], () => void>()

  constructor(maxUnsentBytes: number) {
    this.#maxUnsentBytes = maxUnsentBytes
  }

  /** For libp2p. */
  factory(): ReturnType<ReturnType<typeof yamux>> {
    const made = yamux()()
    const create = made.createStreamMuxer.bind(made)
    made.createStreamMuxer = (sender) => {
      const muxer = create(sender)
      const noise = sender as Sender
      noise.maxWriteBufferLength = this.#maxUnsentBytes
      // What has come of a message of Noise.
      if (noise.decoder !== undefined) noise.decoder.buffer = compact(noise.decoder.buffer)
      this.#bound(muxer as unknown as Muxer)
      return muxer
    }
    return made
  }

  /** The peer at the other end has passed Hello. */
  admit(connection: Connection): void {
    this.#members.get(connection.streams)?.()
  }

  #bound(muxer: Muxer): void {
    const now = performance.now()
    let { opened, frames, pings } = allow(muxer, STRANGER, now)
    this.#members.set(muxer.streams, () => {
      this.#members.delete(muxer.streams)
      ;({ opened, frames, pings } = allow(muxer, MEMBER, performance.now()))
      for (const stream of muxer.streams) Object.assign(stream, MEMBER.limits)
    })
    // What has come of a frame, and of each stream's bytes what nobody has read yet: no plain list holds either.
    muxer.decoder.buffer = compact(muxer.decoder.buffer)
    const make = muxer._newStream.bind(muxer)
    muxer._newStream = (...of) => {
      const stream = make(...of)
      stream.readBuffer = compact(stream.readBuffer)
      return stream
    }
    const read = muxer.onData.bind(muxer)
    muxer.onData = (bytes) => {
      read(bytes)
      // What is left over is the beginning of one frame. Yamux waits for the end of it, however long it says that it is,
      // before it looks whether the window has room for it.
      if (muxer.decoder.buffer.byteLength > (muxer.streamOptions?.maxStreamWindowSize ?? 0) + HEADER_BYTES) {
        throw new Error('a frame that is longer than any window')
      }
    }
    const handle = muxer.handleFrame.bind(muxer)
    muxer.handleFrame = (frame) => {
      const at = performance.now()
      const buckets = frame.header.type === PING ? [frames, pings] : [frames]
      // Thrown to the muxer, as below.
      if (buckets.some((bucket) => bucket.waitMs(1, at) > 0)) throw new Error('the peer sends too many frames')
      for (const bucket of buckets) bucket.spend(1, at)
      handle(frame)
    }
    const open = muxer.onRemoteStream.bind(muxer)
    muxer.onRemoteStream = (stream) => {
      const at = performance.now()
      // Thrown to the muxer, it ends the connection.
      if (opened.waitMs(1, at) > 0) throw new Error('the peer opens too many streams')
      opened.spend(1, at)
      boundNegotiation(stream, () => stream.protocol === '')
      open(stream)
    }
  }
}

function compact(list: Uint8ArrayList): CompactList {
  const made = new CompactList()
  made.append(list)
  return made
}

function allow(muxer: Muxer, { limits, open, opened, frames, pings }: Allowance, now: number) {
  muxer.streamOptions = limits
  muxer.maxInboundStreams = open
  const [ofOpened, ofFrames, ofPings] = [opened, frames, pings].map((rate) => new TokenBucket(rate, now))
  return { opened: ofOpened, frames: ofFrames, pings: ofPings } as Record<'opened' | 'frames' | 'pings', TokenBucket>
}
