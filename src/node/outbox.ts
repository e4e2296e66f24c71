/**
 * Events that this node has acknowledged and that wait for a block: gossiped in batches, and again as long as they
 * wait, because gossip does not promise delivery and nothing acknowledged may be lost.
 */
import { toHex } from '../codec/bytes.ts'
import { messageOf } from '../error.ts'
import type { Log } from '../log.ts'

/** Events taken within this time travel in one message. */
const BATCH_MS = 20
/**
 * No message follows another sooner, unless it is full: each costs every node a few hundred microseconds, whatever it
 * holds, and at 200 events/s blocks a second apart lose nothing by it. A lone event does not wait.
 */
const MESSAGE_MS = 200
/** A batch is sent at this weight at the latest; well below what a gossip message may weigh. */
const BATCH_BYTES = 128 * 1024
/** An event that no block has taken for this long is offered again. */
const AGAIN_MS = 15_000
/** The same when a peer has come; peers that come all at once make it happen once. */
const PEER_AGAIN_MS = 5_000
/**
 * Offered again in one turn at most, the longest waiting first: after an outage tens of thousands may wait, and what
 * gossip holds unsent for a peer is bounded; beyond it the stream to that peer would be reset, votes and all.
 */
const AGAIN_BYTES = 1 << 20
/** Time between turns while more wait than one holds. */
const TURN_MS = 500

export interface OutboxPorts {
  /** The `Events` message of these encoded SignedEvents. */
  readonly message: (events: readonly Uint8Array[]) => Uint8Array
  /** Resolves with how many peers it was sent to. */
  readonly publish: (payload: Uint8Array) => Promise<number>
  /** Whether the event still waits for a block. */
  readonly isWaiting: (id: Uint8Array) => boolean
  readonly log: Log
}

interface Identified {
  readonly id: Uint8Array
  readonly bytes: Uint8Array
}

interface Waiting extends Identified {
  /** Monotonic ms of the last offer that reached anybody. */
  offeredAt: number
}

export class Outbox {
  readonly #ports: OutboxPorts
  readonly #own = new Map<string, Waiting>()
  readonly #again: NodeJS.Timeout
  #batch: Waiting[] = []
  #batchBytes = 0
  /** Monotonic ms. */
  #sentAt = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined
  #turn: NodeJS.Timeout | undefined

  constructor(ports: OutboxPorts) {
    this.#ports = ports
    this.#again = setInterval(() => this.#offerAgain(AGAIN_MS), AGAIN_MS)
  }

  /** An event that was acknowledged just now. One that is here already is not offered twice. */
  add(event: Identified): void {
    const waiting = this.#keep(event)
    if (waiting !== undefined) this.#offer(waiting)
  }

  /** An event acknowledged before a restart: it is offered once there is a peer. */
  restore(event: Identified): void {
    this.#keep(event)
  }

  /** A peer came: what was offered to nobody may reach the validators now. */
  peerReady(): void {
    this.#offerAgain(PEER_AGAIN_MS)
  }

  /** Sends what waits to be sent; events that are not in a block by then are on disk. */
  async stop(): Promise<void> {
    clearInterval(this.#again)
    clearTimeout(this.#turn)
    await this.#flush()
  }

  #keep({ id, bytes }: Identified): Waiting | undefined {
    const key = toHex(id)
    if (this.#own.has(key)) return undefined
    const waiting = { id, bytes, offeredAt: Number.NEGATIVE_INFINITY }
    this.#own.set(key, waiting)
    return waiting
  }

  /** Offers own events again whose last offer is at least `age` ms ago, and forgets those that are done. */
  #offerAgain(age: number): void {
    if (this.#turn !== undefined) return
    const due: Waiting[] = []
    for (const [key, waiting] of this.#own) {
      if (!this.#ports.isWaiting(waiting.id)) this.#own.delete(key)
      else if (performance.now() - waiting.offeredAt >= age) due.push(waiting)
    }
    due.sort((a, b) => a.offeredAt - b.offeredAt)
    this.#offerInTurns(due)
  }

  #offerInTurns(due: readonly Waiting[]): void {
    this.#turn = undefined
    let room = AGAIN_BYTES
    let offered = 0
    for (const waiting of due) {
      if (room <= 0) break
      room -= waiting.bytes.byteLength
      offered++
      if (this.#ports.isWaiting(waiting.id)) this.#offer(waiting)
    }
    if (offered < due.length) this.#turn = setTimeout(() => this.#offerInTurns(due.slice(offered)), TURN_MS)
  }

  #offer(waiting: Waiting): void {
    waiting.offeredAt = performance.now()
    this.#batch.push(waiting)
    this.#batchBytes += waiting.bytes.byteLength
    if (this.#batchBytes >= BATCH_BYTES) void this.#flush()
    else {
      const wait = Math.max(BATCH_MS, this.#sentAt + MESSAGE_MS - performance.now())
      this.#timer ??= setTimeout(() => void this.#flush(), wait)
    }
  }

  async #flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const batch = this.#batch
    this.#batch = []
    this.#batchBytes = 0
    if (batch.length === 0) return
    this.#sentAt = performance.now()
    let peers = 0
    try {
      const { message, publish } = this.#ports
      peers = await publish(message(batch.map(({ bytes }) => bytes)))
    } catch (error) {
      this.#ports.log.debug({ events: batch.length, reason: messageOf(error) }, 'events not gossiped')
    }
    // Nobody was there, or the very same message was sent a moment ago and counts as seen: the next peer or turn.
    if (peers === 0) for (const waiting of batch) waiting.offeredAt = Number.NEGATIVE_INFINITY
  }
}
