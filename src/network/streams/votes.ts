import { GetVotes, RawVotes } from '../../codec/generated/sync.ts'
import type { NetworkPorts } from '../types.ts'
import { assertHeight, decoded, type Wire } from './messages.ts'
import { REFUSABLE, throwIfRefused } from './refusal.ts'
import type { Handler } from './server.ts'

/** 1024 bitmaps, four fields each: of some hundred rounds more than any height has had. */
const MAX_REQUEST_FIELDS = 4 * 1024 + 16
/** No vote is shorter: it has a key and a signature. */
const MIN_VOTE_BYTES = 96
/** Beside its votes an answer has three messages or a refusal. */
const EXTRA_FIELDS = 16

export const GET_VOTES: Wire<GetVotes> = {
  name: 'get votes',
  codec: GetVotes,
  shape: { 1: 'u64', 2: 'u32', 3: 'u32', 4: 'bytes', 5: { 1: 'u32', 2: 'u32', 3: 'bytes' } }
}
export const VOTES: Wire<RawVotes> = {
  name: 'votes',
  codec: RawVotes,
  shape: { 1: 'bytes', 2: 'bytes', 3: 'bytes', 4: 'bytes', ...REFUSABLE }
}

export function makeGetVotes(request: GetVotes): Uint8Array {
  return GetVotes.encode(request)
}

/** Answers GetVotes with what consensus holds: one frame. */
export function serveVotes(read: NetworkPorts['readVotes'], maxFrameBytes: number): Handler {
  return async function* (frame) {
    const request = decoded(GET_VOTES, frame, MAX_REQUEST_FIELDS)
    assertHeight('height', request.height)
    yield cutToFit(await read(request), maxFrameBytes)
  }
}

/** Votes of many rounds beside a large block may pass the frame limit; the asker asks again for what is left out. */
function cutToFit(answer: RawVotes, maxFrameBytes: number): Uint8Array {
  let { votes } = answer
  for (;;) {
    const frame = RawVotes.encode({ ...answer, votes })
    if (frame.byteLength <= maxFrameBytes || votes.length === 0) return frame
    votes = votes.slice(0, Math.floor(votes.length / 2))
  }
}

/** @throws MolochError BAD_FRAME, or the refusal's code */
export function readVotes(frame: Uint8Array, peer: string): RawVotes {
  const votes = decoded(VOTES, frame, Math.ceil(frame.byteLength / MIN_VOTE_BYTES) + EXTRA_FIELDS)
  throwIfRefused(votes.refusal, 'votes', peer)
  return votes
}
