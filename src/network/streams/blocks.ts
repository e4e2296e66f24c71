import { GetBlocks, RawBlocks } from '../../codec/generated/sync.ts'
import { networkError } from '../errors.ts'
import type { NetworkPorts } from '../types.ts'
import type { Frame } from './frames.ts'
import { assertHeight, decoded, type Wire } from './messages.ts'
import { REFUSABLE, throwIfRefused } from './refusal.ts'
import type { Handler } from './server.ts'

/** More in one request would hold a stream and its buffers for too long. */
export const MAX_BLOCKS_PER_REQUEST = 512

/** Beside its blocks an answer has a refusal at most; a few more blocks than were asked for are counted as such. */
const EXTRA_FIELDS = 16

export const GET_BLOCKS: Wire<GetBlocks> = { name: 'get blocks', codec: GetBlocks, shape: { 1: 'u64', 2: 'u32' } }
export const BLOCKS: Wire<RawBlocks> = { name: 'blocks', codec: RawBlocks, shape: { 1: 'bytes', ...REFUSABLE } }

export interface BlocksServing {
  readonly readBlocks: NetworkPorts['readBlocks']
  readonly head: NetworkPorts['head']
  /** Of all frames of one answer. */
  readonly answerBytes: number
  /** Frames are cut at this size; a single block may be larger. */
  readonly frameBytes: number
}

export function makeGetBlocks(start: number, count: number): Uint8Array {
  return GetBlocks.encode({ start, count })
}

/** Answers GetBlocks from the store, as fast as the peer takes the frames and no faster. */
export function serveBlocks(serving: BlocksServing): Handler {
  return async function* (frame, { charge }) {
    const { start, count } = decoded(GET_BLOCKS, frame)
    assertRange(start, count)
    const head = serving.head()
    if (start > head.height || start < head.earliestHeight) {
      const held = `this node holds blocks ${head.earliestHeight} to ${head.height}`
      throw networkError('UNAVAILABLE', `no block ${start}: ${held}`)
    }
    let blocks: Uint8Array<ArrayBuffer>[] = []
    let size = 0
    let any = false
    for await (const block of serving.readBlocks(start, count, serving.answerBytes)) {
      if (size > 0 && size + block.byteLength > serving.frameBytes) {
        charge({ blocks: blocks.length })
        yield RawBlocks.encode({ blocks })
        blocks = []
        size = 0
      }
      any = true
      size += block.byteLength
      blocks.push(block as Uint8Array<ArrayBuffer>)
    }
    if (!any) throw networkError('UNAVAILABLE', `no block ${start}`)
    charge({ blocks: blocks.length })
    yield RawBlocks.encode({ blocks })
  }
}

/**
 * The FinalizedBlocks of an answer's frames: views on each frame, counted and not checked otherwise.
 * @throws MolochError BAD_FRAME | TOO_MUCH | UNAVAILABLE, or the refusal's code
 */
export async function* readBlocks(
  frames: AsyncIterable<Frame>,
  range: { readonly start: number; readonly count: number },
  peer: string
): AsyncGenerator<Uint8Array[], void, undefined> {
  let left = range.count
  for await (const frame of frames) {
    const { blocks, refusal } = decoded(BLOCKS, frame, left + EXTRA_FIELDS)
    throwIfRefused(refusal, `blocks ${range.start} … ${range.start + range.count - 1}`, peer)
    if (blocks.length === 0) throw networkError('BAD_FRAME', 'a frame of no blocks', { peer })
    if (blocks.length > left) throw networkError('TOO_MUCH', `more than the ${range.count} blocks asked for`, { peer })
    left -= blocks.length
    yield blocks
  }
  if (left === range.count) throw networkError('UNAVAILABLE', 'an answer of no blocks', { peer })
}

/** @throws MolochError BAD_REQUEST */
export function assertRange(start: number, count: number): void {
  assertHeight('start', start)
  if (start < 1 || count < 1 || count > MAX_BLOCKS_PER_REQUEST || !Number.isInteger(count)) {
    const accepted = `start of 1 or more and 1 … ${MAX_BLOCKS_PER_REQUEST} blocks`
    throw networkError('BAD_REQUEST', `${count} blocks from ${start}; accepted: ${accepted}`)
  }
}
