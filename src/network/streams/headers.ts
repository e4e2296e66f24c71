import { HASH_BYTES } from '../../chain/domain.ts'
import { peakCount } from '../../chain/mmr.ts'
import { GetHeaders, RawHeaders } from '../../codec/generated/sync.ts'
import { networkError } from '../errors.ts'
import type { HeadersFrame, NetworkPorts, ProvingPorts } from '../types.ts'
import type { Frame } from './frames.ts'
import { assertBytes, assertHeight, decoded, type Wire } from './messages.ts'
import { REFUSABLE, throwIfRefused } from './refusal.ts'
import type { Handler } from './server.ts'

/** More in one request would hold a stream and its buffers for too long. */
export const MAX_HEADERS_PER_REQUEST = 1024
/** Peaks and the fields around them, in an answer's first frame: there are at most 53. */
const PEAKS_ROOM_BYTES = 4096

/** Beside its headers an answer has peaks or a refusal; a few more headers than were asked for are counted as such. */
const EXTRA_FIELDS = 80

export const GET_HEADERS: Wire<GetHeaders> = { name: 'get headers', codec: GetHeaders, shape: { 1: 'u64', 2: 'u32' } }
export const HEADERS: Wire<RawHeaders> = {
  name: 'headers',
  codec: RawHeaders,
  shape: { 1: 'bytes', 2: 'bytes', ...REFUSABLE }
}

export interface HeadersServing extends Pick<ProvingPorts, 'readHeaders' | 'readPeaks'> {
  readonly head: NetworkPorts['head']
  /** Of all frames of one answer. */
  readonly answerBytes: number
  /** Frames are cut at this size. */
  readonly frameBytes: number
}

export interface HeadersRange {
  readonly start: number
  readonly count: number
}

export function makeGetHeaders({ start, count }: HeadersRange): Uint8Array {
  return GetHeaders.encode({ start, count })
}

/** Answers GetHeaders from the store, as fast as the peer takes the frames and no faster. */
export function serveHeaders(serving: HeadersServing): Handler {
  return async function* (frame, { charge }) {
    const { start, count } = decoded(GET_HEADERS, frame)
    assertHeadersRange({ start, count })
    const head = serving.head()
    if (start > head.height || start < head.earliestHeight) {
      const held = `this node holds headers ${head.earliestHeight} to ${head.height}`
      throw networkError('UNAVAILABLE', `no header ${start}: ${held}`)
    }
    let peaks = (await serving.readPeaks(start)) as Frame[]
    let headers: Frame[] = []
    let size = 0
    let left = serving.answerBytes
    for await (const header of serving.readHeaders(start, count)) {
      if (header.byteLength > left && left < serving.answerBytes) break
      if (size > 0 && size + header.byteLength > serving.frameBytes) {
        charge({ blocks: headers.length })
        yield RawHeaders.encode({ peaks, headers })
        peaks = []
        headers = []
        size = 0
      }
      left -= header.byteLength
      size += header.byteLength
      headers.push(header as Frame)
    }
    if (headers.length === 0) throw networkError('UNAVAILABLE', `no header ${start}`)
    charge({ blocks: headers.length })
    yield RawHeaders.encode({ peaks, headers })
  }
}

export interface HeadersExpected extends HeadersRange {
  /** No header of this chain is longer (maxTrustedHeaderBytes). */
  readonly maxHeaderBytes: number
}

/**
 * The frames of an answer: views on each frame, bounded in count and bytes and not checked otherwise, but that the
 * peaks are as many as there must be.
 * @throws MolochError BAD_FRAME | TOO_MUCH | UNAVAILABLE, or the refusal's code
 */
export async function* readHeaders(
  frames: AsyncIterable<Frame>,
  { start, count, maxHeaderBytes }: HeadersExpected,
  peer: string
): AsyncGenerator<HeadersFrame, void, undefined> {
  const asked = `headers ${start} … ${start + count - 1}`
  let left = count
  // Against frames that are full of what is no header: each would be read whole before its headers are looked at.
  let bytes = PEAKS_ROOM_BYTES + count * maxHeaderBytes
  for await (const frame of frames) {
    const { peaks, headers, refusal } = decoded(HEADERS, frame, left + EXTRA_FIELDS)
    throwIfRefused(refusal, asked, peer)
    if (headers.length === 0) throw networkError('BAD_FRAME', 'a frame of no headers', { peer })
    const expected = left === count ? peakCount(start) : 0
    if (peaks.length !== expected) {
      throw networkError('BAD_FRAME', `${asked}: ${peaks.length} peaks in a frame, not ${expected}`, { peer })
    }
    for (const peak of peaks) assertBytes('peak', peak, HASH_BYTES)
    bytes -= frame.byteLength
    if (headers.length > left) throw networkError('TOO_MUCH', `more than the ${count} headers asked for`, { peer })
    if (bytes < 0) throw networkError('TOO_MUCH', `more bytes than ${count} headers can have`, { peer })
    left -= headers.length
    yield { peaks, headers }
  }
  if (left === count) throw networkError('UNAVAILABLE', 'an answer of no headers', { peer })
}

/** @throws MolochError BAD_REQUEST */
export function assertHeadersRange({ start, count }: HeadersRange): void {
  assertHeight('start', start)
  if (start < 1 || count < 1 || count > MAX_HEADERS_PER_REQUEST || !Number.isInteger(count)) {
    const accepted = `start of 1 or more and 1 … ${MAX_HEADERS_PER_REQUEST} headers`
    throw networkError('BAD_REQUEST', `${count} headers from ${start}; accepted: ${accepted}`)
  }
}
