import { GetBlocks, RawBlocks, RawHeaders, RefusalCode } from '../../../src/codec/generated/sync.ts'
import { heights } from './bad-blocks.ts'
import { TIP } from './chain.ts'
import { framed, type HostilePeer, type RawAnswer, type Role } from './hostile.ts'
import { served } from './proving.ts'

type Bytes = Uint8Array<ArrayBuffer>

interface Request {
  readonly start: number
  readonly count: number
  readonly peer: HostilePeer
  /** The node has given up. */
  readonly gone: Promise<void>
  /** A frame of honest blocks, or headers, from `start`; past the tip it begins again. */
  frame(start: number, count: number): Uint8Array
}

/** Answers GetBlocks and GetHeaders, which have the same fields, with raw bytes. */
function answering(write: (request: Request) => AsyncGenerator<Uint8Array>): Role {
  const blocks: RawAnswer = (bytes, peer, gone) => {
    const frame = (from: number, count: number): Uint8Array =>
      framed(RawBlocks.encode({ blocks: around(from, count).map((at) => peer.forge.honest(at) as Bytes) }))
    return write({ ...GetBlocks.decode(bytes), peer, gone, frame })
  }
  const headers: RawAnswer = (bytes, peer, gone) => {
    const { start, count } = GetBlocks.decode(bytes)
    // With the first frame only.
    let peaks = served().peaks(start) as Bytes[]
    const frame = (from: number, length: number): Uint8Array => {
      const headers = around(from, length).map((at) => served().headers[at - 1] as Bytes)
      const message = RawHeaders.encode({ peaks, headers })
      peaks = []
      return framed(message)
    }
    return write({ start, count, peer, gone, frame })
  }
  return { answers: { blocks, headers } }
}

function around(start: number, count: number): number[] {
  return heights({ start, count }).map((height) => ((height + TIP - 1) % TIP) + 1)
}

/** Strikes and sends these bytes, and keeps the stream open: what is sent is bad by itself. */
function sending(make: (request: Request) => Uint8Array): Role {
  return answering(async function* (request) {
    request.peer.strike()
    yield make(request)
    await request.peer.over
  })
}

/** What counts as the deed: that the node has asked, or that it has waited until it gave up. */
export type Deed = 'asked' | 'given up'

function wasting(deed: Deed, write: (request: Request) => AsyncGenerator<Uint8Array>): Role {
  return answering(async function* (request) {
    if (deed === 'asked') request.peer.strike()
    try {
      yield* write(request)
    } finally {
      if (deed === 'given up') request.peer.strike()
    }
  })
}

/** Accepts requests and never answers. */
export function silent(deed: Deed): Role {
  // biome-ignore lint/correctness/useYield: that it yields nothing is the deed
  return wasting(deed, async function* ({ gone }) {
    await gone
  })
}

/** Answers well, but later than anybody waits for the first byte. */
export function slowFirstByte(deed: Deed, afterMs: number): Role {
  return wasting(deed, async function* ({ peer, gone, start, count, frame }) {
    await peer.pause(afterMs)
    yield frame(start, count)
    await gone
  })
}

/** A good frame that comes a few bytes at a time, always soon enough to look alive. */
export function trickle(deed: Deed): Role {
  return wasting(deed, async function* ({ peer, start, count, frame }) {
    const bytes = frame(start, count)
    for (let at = 0; at < bytes.byteLength; at += 16) {
      yield bytes.subarray(at, at + 16)
      await peer.pause(50)
    }
  })
}

/** Good frames of one block, each in time, that take for ever together. */
export function slowFrames(deed: Deed, everyMs: number): Role {
  return wasting(deed, async function* ({ peer, start, count, frame }) {
    for (const height of heights({ start, count })) {
      yield frame(height, 1)
      await peer.pause(everyMs)
    }
  })
}

/** A good frame, half of the next, and nothing more. */
export function stallInTheMiddle(deed: Deed): Role {
  return wasting(deed, async function* ({ gone, start, count, frame }) {
    const first = Math.ceil(count / 2)
    yield frame(start, first)
    const rest = frame(start + first, count - first)
    yield rest.subarray(0, rest.byteLength / 2)
    await gone
  })
}

/** A good frame, and then a reset. */
export function resetInTheMiddle(): Role {
  return answering(async function* ({ peer, start, count, frame }) {
    yield frame(start, Math.ceil(count / 2))
    peer.strike()
    throw new Error('reset on purpose')
  })
}

export function emptyFrame(): Role {
  return sending(() => framed(RawBlocks.encode({ blocks: [] })))
}

/** Closes without a byte. */
export function emptyAnswer(): Role {
  // biome-ignore lint/correctness/useYield: that it yields nothing is the deed
  return answering(async function* ({ peer }) {
    peer.strike()
  })
}

/** One frame with a block more than was asked for. */
export function oneTooMany(): Role {
  return sending(({ start, count, frame }) => {
    const more = start + count - 1 < 200 ? ([start, count + 1] as const) : ([start - 1, count + 1] as const)
    return frame(...more)
  })
}

/** All that was asked for, and then frame after frame, as long as anybody reads. */
export function endlessAnswer(): Role {
  return answering(async function* ({ peer, start, count, frame }) {
    peer.strike()
    yield frame(start, count)
    for (;;) yield frame(start, 1)
  })
}

/** A frame above the limit that really comes. */
export function oversizedFrame(): Role {
  return sending(() => framed(new Uint8Array(3 << 20)))
}

/** A frame that says it has a terabyte. */
export function lengthBomb(): Role {
  return sending(() => Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x80, 0x20, 0))
}

/** A length that does not end. */
export function endlessLength(): Role {
  return sending(() => new Uint8Array(64).fill(0xff))
}

/** Bytes that are no message. */
export function garbage(): Role {
  return sending(() => framed(new Uint8Array(200).fill(0xff)))
}

/** RATE_LIMITED to everything. */
export function limiting(retryAfterMs: number): Role {
  const refusal = { code: RefusalCode.RATE_LIMITED, message: 'later', retryAfterMs }
  return refusing(RawBlocks.encode({ blocks: [], refusal }))
}

/** A refusal with a code that this version does not know: field 15 with a code of 99. */
export function unknownRefusal(): Role {
  return refusing(Uint8Array.of((15 << 3) | 2, 2, (1 << 3) | 0, 99))
}

function refusing(frame: Uint8Array): Role {
  return answering(async function* ({ peer }) {
    peer.strike()
    yield framed(frame)
  })
}
