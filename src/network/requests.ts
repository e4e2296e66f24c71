import type { Connection } from '@libp2p/interface'
import { networkError } from './errors.ts'
import { openConnection, type Peer } from './peer.ts'
import type { RequestOptions } from './request-options.ts'
import type { PeerSessions } from './sessions.ts'
import type { ChunkWanted, ManifestWanted } from './snapshot-ports.ts'
import { assertRange, makeGetBlocks, readBlocks } from './streams/blocks.ts'
import { type RequestLimits, request, requestOne } from './streams/client.ts'
import { GOODBYE_PROTOCOL, makeGoodbye } from './streams/goodbye.ts'
import { assertHeadersRange, makeGetHeaders, readHeaders } from './streams/headers.ts'
import { assertProofRequest, makeGetProof, maxProofBytes, readProof } from './streams/proof.ts'
import {
  assertChunkWanted,
  chunkFrameBytes,
  MAX_MANIFEST_FRAME_BYTES,
  makeGetChunk,
  makeGetManifest,
  readChunk,
  readManifest
} from './streams/snapshot.ts'
import { makeGetVotes, readVotes } from './streams/votes.ts'
import { protocolId } from './topics.ts'
import type { GetProof, GetVotes, GoodbyeName, HeadersFrame, Proof, RawVotes } from './types.ts'

/** A goodbye is a courtesy: nothing waits longer for it. */
const GOODBYE_MS = 500

export interface RequestsOptions {
  readonly sessions: PeerSessions
  readonly scope: string
  readonly limits: RequestLimits
  /** The longest that a TrustedHeader of the chain, an event, and a chunk of a snapshot can be. */
  readonly maxHeaderBytes: number
  readonly maxEventBytes: number
  readonly maxChunkBytes: number
}

/** What we ask of peers. */
export class Requests {
  readonly #sessions: PeerSessions
  readonly #scope: string
  readonly #limits: RequestLimits
  readonly #maxHeaderBytes: number
  readonly #maxEventBytes: number
  readonly #maxChunkBytes: number

  constructor(options: RequestsOptions) {
    this.#sessions = options.sessions
    this.#scope = options.scope
    this.#limits = options.limits
    this.#maxHeaderBytes = options.maxHeaderBytes
    this.#maxEventBytes = options.maxEventBytes
    this.#maxChunkBytes = options.maxChunkBytes
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

  async *headers(
    peerId: string,
    range: { readonly start: number; readonly count: number },
    { signal }: RequestOptions
  ): AsyncGenerator<HeadersFrame, void, undefined> {
    assertHeadersRange(range)
    const protocol = protocolId(this.#scope, 'headers')
    const answer = request(this.#connectionTo(peerId), protocol, makeGetHeaders(range), this.#limits, signal)
    yield* readHeaders(answer, { ...range, maxHeaderBytes: this.#maxHeaderBytes }, peerId)
  }

  async proof(peerId: string, wanted: GetProof, { signal }: RequestOptions): Promise<Proof> {
    assertProofRequest(wanted)
    const protocol = protocolId(this.#scope, 'proof')
    const limits = { ...this.#limits, maxFrameBytes: maxProofBytes(wanted, this.#maxEventBytes) }
    const frame = await requestOne(this.#connectionTo(peerId), protocol, makeGetProof(wanted), limits, signal)
    return readProof(frame, wanted, peerId)
  }

  manifest(peerId: string, wanted: ManifestWanted, options: RequestOptions): Promise<Uint8Array> {
    return readManifest(this.#snapshot(peerId, makeGetManifest(wanted), MAX_MANIFEST_FRAME_BYTES, options), peerId)
  }

  async chunk(peerId: string, wanted: ChunkWanted, options: RequestOptions): Promise<Uint8Array> {
    assertChunkWanted(wanted)
    const maxFrameBytes = chunkFrameBytes(this.#maxChunkBytes)
    return readChunk(this.#snapshot(peerId, makeGetChunk(wanted), maxFrameBytes, options), wanted, peerId)
  }

  async *#snapshot(peerId: string, message: Uint8Array, maxFrameBytes: number, { signal }: RequestOptions) {
    const protocol = protocolId(this.#scope, 'snapshot')
    yield* request(this.#connectionTo(peerId), protocol, message, { ...this.#limits, maxFrameBytes }, signal)
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
