import { GetVotes, RawVotes } from '../../codec/generated/sync.ts'
import type { NetworkPorts } from '../types.ts'
import { assertHeight, decoded } from './messages.ts'
import { throwIfRefused } from './refusal.ts'
import type { Handler } from './server.ts'

export function makeGetVotes(request: GetVotes): Uint8Array {
  return GetVotes.encode(request)
}

/** Answers GetVotes with what consensus holds: one frame. */
export function serveVotes(read: NetworkPorts['readVotes'], maxFrameBytes: number): Handler {
  return async function* (frame) {
    const request = decoded('get votes', () => GetVotes.decode(frame))
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
  const votes = decoded('votes', () => RawVotes.decode(frame))
  throwIfRefused(votes.refusal, 'votes', peer)
  return votes
}
