import type { PeerId, Stream } from '@libp2p/interface'
import { countFields, type Shape } from '../codec/field-count.ts'
import { hasCode, messageOf } from '../error.ts'
import type { Log } from '../log.ts'
import { quietLog } from '../quiet-log.ts'
import type { FrameCount, GossipBudget } from './gossip-budget.ts'
import { HalfFrames } from './half-frames.ts'
import { FrameDecoder } from './streams/frame-decoder.ts'
import { FrameWatch } from './streams/frame-watch.ts'
import { StreamSource } from './streams/source.ts'

/** What an RPC may be longer than the largest message: its topic, and control messages that ride with it. */
const RPC_ROOM_BYTES = 1 << 20
/** All fields of an RPC on all levels, ids and messages among them. Ours have at most 5 × 1024 ids and 1024 messages. */
export const MAX_RPC_FIELDS = 8192
/** Ids in the IHAVEs of one RPC, and messages in the answer to one IWANT. */
const MAX_TOLD = 1024
/** Streams of one peer that are read: an older one may have bytes that came before it opened the newer. */
const MAX_STREAMS = 3

/** What a piece of one costs beside its bytes. */
const PIECE_COST = 1024
/** Of the longest RPCs as many halves are held, of all validators and of all others. */
const MAX_HALVES = 16

const IDS = { 1: 'bytes' } as const
const CONTROL: Shape = {
  1: { 1: 'bytes', 2: 'bytes' },
  2: IDS,
  3: { 1: 'bytes' },
  4: { 1: 'bytes', 2: { 1: 'bytes', 2: 'bytes' }, 3: 'u64' },
  5: IDS
}
/** gossipsub's RPC. */
export const RPC: Shape = {
  1: { 1: 'u32', 2: 'bytes' },
  2: { 1: 'bytes', 2: 'bytes', 3: 'bytes', 4: 'bytes', 5: 'bytes', 6: 'bytes' },
  3: CONTROL
}

/** The same without what is in its entries. */
const ENTRIES: Shape = { 1: 'bytes', 2: 'bytes', 3: 'bytes' }
const NOTHING: FrameCount = { entries: 0, fields: 0 }

interface Message {
  readonly data?: Uint8Array
}

/** An IHAVE of one topic. */
interface Told {
  readonly messageIDs: Uint8Array[]
}

interface Inbound {
  readonly rawStream: Stream
  readonly source: AsyncIterable<Uint8Array>
  close(): Promise<void>
}

/** What is wrapped of gossipsub's class. */
export interface ReadRouter {
  readonly peers: ReadonlyMap<string, PeerId>
  readonly streamsInbound: Map<string, Inbound>
  isStarted(): boolean
  createInboundStream(peerId: PeerId, stream: Stream): void
  pipePeerReadStream(peerId: PeerId, source: AsyncIterable<Uint8Array>): Promise<void>
  handlePrune(peerId: string, prune: { peers: unknown[] }[]): Promise<void>
  handleIWant(peerId: string, iwant: unknown[]): Message[]
  emitGossip(peersByTopic: Map<string, Set<string>>): void
  pushGossip(peerId: string, ihave: Told): void
  /** What a peer is told of with the next RPC. */
  readonly gossip: ReadonlyMap<string, readonly Told[]>
  readonly mcache: { get(id: Uint8Array): Message | undefined }
}

export interface InboundOptions {
  readonly maxMessageBytes: number
  readonly passed: (peerId: string) => boolean
  readonly isValidator: (peerId: string) => boolean
  readonly budget: GossipBudget
  /** How long the rest of an RPC may take. */
  readonly frameMs: number
  /** The peer has sent an RPC that no honest peer sends. */
  readonly onBadRpc: (peerId: string, message: string) => void
  readonly log: Log
}

/**
 * Reads gossip streams in gossipsub's place, which takes all that comes as fast as it comes and decodes it before it looks
 * at it. Here nothing is read that the peer's budget does not pay for, so that a flood waits at its sender; an RPC is counted
 * before it is decoded; and what an honest node of ours says fits what it takes.
 */
export class GossipInbound {
  readonly #options: InboundOptions
  readonly maxRpcBytes: number
  readonly #open = new Map<string, Set<Inbound>>()
  readonly #validatorsHalves: HalfFrames
  readonly #othersHalves: HalfFrames
  readonly #log: Log

  constructor(options: InboundOptions) {
    this.#options = options
    this.maxRpcBytes = options.maxMessageBytes + RPC_ROOM_BYTES
    this.#validatorsHalves = new HalfFrames(MAX_HALVES * this.maxRpcBytes)
    this.#othersHalves = new HalfFrames(MAX_HALVES * this.maxRpcBytes)
    // Others can cause it as often as they like.
    this.#log = quietLog(options.log, { monotonic: () => performance.now() })
  }

  /** For gossipsub's options, beside what is counted here. */
  readonly decodeRpcLimits = {
    maxSubscriptions: 64,
    maxMessages: MAX_TOLD,
    maxControlMessages: 64,
    maxIhaveMessageIDs: MAX_RPC_FIELDS,
    maxIwantMessageIDs: MAX_RPC_FIELDS,
    maxIdontwantMessageIDs: 512,
    maxPeerInfos: 16
  }

  attach(router: ReadRouter): void {
    const { budget } = this.#options
    router.createInboundStream = (peerId, stream) => this.#create(router, peerId, stream)
    const pruned = router.handlePrune.bind(router)
    // Peer exchange: whom a stranger would have us dial. Its score keeps it out as well (gossip-params.ts).
    router.handlePrune = (peerId, prune) =>
      pruned(
        peerId,
        prune.map((one) => ({ ...one, peers: [] }))
      )
    const wanted = router.handleIWant.bind(router)
    router.handleIWant = (peerId, iwant) => {
      const answer = this.#fitting(wanted(peerId, iwant))
      // A few bytes ask for many: the asker pays for these too.
      for (const { data } of answer) budget.charge(peerId, data?.byteLength ?? 0)
      return answer
    }
    const emit = router.emitGossip.bind(router)
    let turn = 0
    // What one topic has to tell may be all that is answered: each is first in its turn.
    router.emitGossip = (peers) => {
      const topics = [...peers]
      turn = (turn + 1) % Math.max(1, topics.length)
      emit(new Map([...topics.slice(turn), ...topics.slice(0, turn)]))
    }
    const told = router.pushGossip.bind(router)
    router.pushGossip = (peerId, ihave) => {
      const messageIDs = this.#answerable(router, router.gossip.get(peerId) ?? [], ihave.messageIDs)
      if (messageIDs.length > 0) told(peerId, { ...ihave, messageIDs })
    }
  }

  /**
   * Of these ids as many as are answered at once if the peer asks for all that it is told of in one RPC, whatever the topic:
   * an honest one holds it against us when a message that it has asked for does not come.
   */
  #answerable(router: ReadRouter, told: readonly Told[], ids: readonly Uint8Array[]): Uint8Array[] {
    const sizeOf = (id: Uint8Array): number => router.mcache.get(id)?.data?.byteLength ?? 0
    const before = told.flatMap(({ messageIDs }) => messageIDs)
    let room = before.reduce((left, id) => left - sizeOf(id), this.#options.maxMessageBytes)
    let places = MAX_TOLD - before.length
    return ids.filter((id) => {
      const bytes = sizeOf(id)
      if (bytes > room || places === 0) return false
      room -= bytes
      places -= 1
      return true
    })
  }

  /** As many messages as one RPC may have. */
  #fitting(messages: Message[]): Message[] {
    let room = this.#options.maxMessageBytes
    const fits = messages.slice(0, MAX_TOLD).findIndex(({ data }) => {
      room -= data?.byteLength ?? 0
      return room < 0
    })
    return messages.slice(0, fits < 0 ? MAX_TOLD : fits)
  }

  #create(router: ReadRouter, peerId: PeerId, stream: Stream): void {
    const id = peerId.toString()
    if (!router.isStarted() || !router.peers.has(id)) return
    const input = new StreamSource(stream)
    const inbound: Inbound = {
      rawStream: stream,
      source: this.#rpcs(id, stream, input, () => router.streamsInbound.get(id) === inbound),
      close: async () => {
        input.fail(new Error('the gossip stream is not read any more'))
        await stream.close().catch((error: Error) => stream.abort(error))
      }
    }
    router.streamsInbound.set(id, inbound)
    const open = this.#open.get(id) ?? new Set<Inbound>()
    this.#open.set(id, open.add(inbound))
    if (open.size > MAX_STREAMS) {
      const [oldest] = open
      open.delete(oldest as Inbound)
      oldest?.rawStream.abort(new Error('the peer has opened too many gossip streams'))
    }
    void router.pipePeerReadStream(peerId, inbound.source).finally(() => {
      open.delete(inbound)
      if (open.size === 0 && this.#open.get(id) === open) this.#open.delete(id)
    })
  }

  /** @throws if the newest stream of the peer breaks off: gossipsub then forgets the peer until it opens another */
  async *#rpcs(peer: string, stream: Stream, input: StreamSource, isNewest: () => boolean): AsyncGenerator<Uint8Array> {
    const { budget, passed, frameMs } = this.#options
    const decoder = new FrameDecoder(this.maxRpcBytes)
    const drop = (why: string): void => {
      this.#log.warn({ peer }, `a gossip stream was ended: ${why}`)
      stream.abort(new Error(why))
    }
    const watch = new FrameWatch(frameMs, () => drop(`no whole RPC came for ${frameMs} ms after it began`))
    try {
      for await (const chunk of input) {
        watch.stop()
        const hadBegun = decoder.begun
        decoder.push(chunk)
        let unpaid = chunk.byteLength
        for (let bytes = decoder.next(); bytes !== undefined; bytes = decoder.next()) {
          watch.whole()
          const count = this.#count(peer, bytes)
          const turn = budget.pay(peer, unpaid, count ?? NOTHING)
          unpaid = 0
          if (turn !== undefined) await turn
          // Its session may have ended meanwhile.
          if (!passed(peer)) return
          if (count !== undefined && count.fields > 0) yield bytes
        }
        // A part is paid for as it comes, or half an RPC would be free. What has begun does not wait for what it owes: it would
        // wait at each piece.
        if (unpaid > 0 && hadBegun) budget.charge(peer, unpaid + PIECE_COST)
        else if (unpaid > 0) await budget.pay(peer, unpaid, NOTHING)
        this.#hold(peer, stream, decoder.heldBytes, drop)
        if (decoder.begun) watch.wait(decoder.heldBytes)
      }
      decoder.end()
    } catch (error) {
      if (hasCode(error, 'FRAME_TOO_LARGE') || hasCode(error, 'BAD_FRAME')) {
        this.#options.onBadRpc(peer, `gossip: ${error.message}`)
      }
      if (isNewest()) throw error
    } finally {
      watch.stop()
      input.stop()
      this.#hold(peer, stream, 0, drop)
    }
  }

  forget(peerId: string): void {
    this.#options.budget.forget(peerId)
  }

  #hold(peer: string, stream: Stream, bytes: number, drop: (why: string) => void): void {
    const [own, other] = this.#options.isValidator(peer)
      ? [this.#validatorsHalves, this.#othersHalves]
      : [this.#othersHalves, this.#validatorsHalves]
    other.delete(stream)
    if (bytes === 0) own.delete(stream)
    else own.set(stream, bytes, () => drop('parts of RPCs that are not whole fill their place, and this is the oldest'))
  }

  /** @returns undefined for an RPC that is not to be decoded */
  #count(peer: string, bytes: Uint8Array): FrameCount | undefined {
    try {
      const fields = countFields(bytes, RPC, MAX_RPC_FIELDS)
      return { fields, entries: countFields(bytes, ENTRIES, fields) }
    } catch (error) {
      this.#options.onBadRpc(peer, `gossip: ${messageOf(error)}`)
      return undefined
    }
  }
}
