import type { Connection } from '@libp2p/interface'
import { networkError } from './errors.ts'
import { openConnection, type Peer } from './peer.ts'
import type { PeerSessions } from './sessions.ts'
import { assertRange, makeGetBlocks, readBlocks } from './streams/blocks.ts'
import { type RequestLimits, request, requestOne } from './streams/client.ts'
import { GOODBYE_PROTOCOL, makeGoodbye } from './streams/goodbye.ts'
import { makeGetVotes, readVotes } from './streams/votes.ts'
import { protocolId } from './topics.ts'
import type { GetVotes, GoodbyeName, RawVotes, RequestOptions } from './types.ts'

/** A goodbye is a courtesy: nothing waits longer for it. */
const GOODBYE_MS = 500

/** What we ask of peers. */
export class Requests {
  readonly #sessions: PeerSessions
  readonly #scope: string
  readonly #limits: RequestLimits

  constructor(sessions: PeerSessions, scope: string, limits: RequestLimits) {
    this.#sessions = sessions
    this.#scope = scope
    this.#limits = limits
  }

  async *blocks(
    peerId: string,
    range: { readonly start: number; readonly count: number },
    { signal }: RequestOptions
  ): AsyncGenerator<Uint8Array[], void, undefined> {
    assertRange(range.start, range.count)
    const message = makeGetBlocks(range.start, range.count)
    const protocol = protocolId(this.#scope, 'blocks')
    yield* readBlocks(request(this.#connectionTo(peerId), protocol, message, this.#limits, signal), range, peerId)
  }

  async votes(peerId: string, wanted: GetVotes, { signal }: RequestOptions): Promise<RawVotes> {
    const protocol = protocolId(this.#scope, 'votes')
    const message = makeGetVotes(wanted)
    return readVotes(await requestOne(this.#connectionTo(peerId), protocol, message, this.#limits, signal), peerId)
  }

  /** Never throws. */
  async goodbye(peer: Peer, reason: GoodbyeName, message: string): Promise<void> {
    const connection = openConnection(peer)
    if (connection === undefined) return
    const quick = { ...this.#limits, openMs: GOODBYE_MS, firstByteMs: GOODBYE_MS, stallMs: GOODBYE_MS }
    try {
      for await (const _ of request(connection, GOODBYE_PROTOCOL, makeGoodbye(reason, message), quick)) break
    } catch {
      // The peer closes the stream without an answer, or is gone.
    }
  }

  /** @throws MolochError PEER_UNKNOWN */
  #connectionTo(peerId: string): Connection {
    const peer = this.#sessions.find(peerId)
    const connection = peer === undefined || !this.#sessions.passed(peerId) ? undefined : openConnection(peer)
    if (connection === undefined) throw networkError('PEER_UNKNOWN', 'no session with that peer', { peer: peerId })
    return connection
  }
}
