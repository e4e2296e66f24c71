import type { Status } from '../codec/generated/sync.ts'
import { MolochError, messageOf } from '../error.ts'
import type { Log } from '../log.ts'
import type { Certifier } from './certify.ts'
import { betterReading, readClock } from './clock-reading.ts'
import { openConnection, type Peer } from './peer.ts'
import { isOpen } from './session.ts'
import type { PeerSessions } from './sessions.ts'
import type { NetworkSettings } from './settings.ts'
import { type RequestLimits, requestOne } from './streams/client.ts'
import type { Frame } from './streams/frames.ts'
import type { Asker, Handler } from './streams/server.ts'
import { makeStatus, readStatus } from './streams/status.ts'
import type { Head } from './types.ts'

/** What no honest peer answers. Whatever else fails may be the link's doing. */
const FAULTS: ReadonlySet<string> = new Set(['BAD_FRAME', 'FRAME_TOO_LARGE'])
/** A first Status that failed is tried again after this long. */
const RETRY_MS = 500
/** Pushes are at least this much time apart, all peers together: with many of them each block would cost a stream each. */
const PUSH_SPACING_MS = 50
/**
 * That more history is held here than a peer knows of is worth a push as well, so many times less often: a backfill moves
 * with each batch, and who asks for history has time.
 */
const EARLIEST_SPACING = 10

export interface StatusOptions {
  readonly protocol: string
  readonly head: () => Head
  readonly sessions: PeerSessions
  readonly certifier: Certifier
  readonly settings: NetworkSettings
  readonly limits: RequestLimits
  readonly penalise: (peerId: string, code: string, message: string) => void
  /** 0 … 1. */
  readonly random: () => number
  /** Own clock, Unix ms. */
  readonly wallClock: () => number
  readonly log: Log
}

/**
 * Status both ways: when a session opens, every interval, and soon after our tip moved. One exchange tells both sides,
 * so of two peers whose tips move together only the first to speak opens a stream.
 */
export class StatusExchange {
  readonly #options: StatusOptions

  constructor(options: StatusOptions) {
    this.#options = options
  }

  /** The first Status of a session, and then one every interval. */
  start(peer: Peer): void {
    const { settings, random } = this.#options
    const interval = settings.statusIntervalMs
    const tick = (): void => {
      const silence = performance.now() - peer.heardAt
      if (silence > interval * settings.statusMisses) {
        this.#options.sessions.close(peer, `no status for ${Math.round(silence / 1000)} s`)
        return
      }
      peer.timers.status = setTimeout(tick, interval * (0.9 + 0.2 * random()))
      void this.#exchange(peer)
    }
    tick()
  }

  /** Our tip moved, or how far down blocks are held. Cheap: called for every run of blocks that is committed. */
  headChanged(): void {
    const head = this.#options.head()
    for (const peer of this.#options.sessions.open()) this.#follow(peer, head)
  }

  /** The peer showed in another way that it has the certified block of this height. */
  shown(peer: Peer, height: number): void {
    if (height <= peer.height || !isOpen(peer.session) || peer.session.state === 'DETERMINING') return
    peer.height = height
    this.#options.sessions.step(peer, { type: 'status', height, ownHeight: this.#options.head().height })
  }

  readonly serve: Handler = (frame, asker) => this.#answer(frame, asker)

  async *#answer(frame: Frame, { peerId }: Asker): AsyncGenerator<Uint8Array> {
    const { sessions, head, wallClock } = this.#options
    const peer = sessions.find(peerId)
    const status = readStatus(frame, peerId)
    if (peer !== undefined) this.#take(peer, status)
    const now = head()
    if (peer !== undefined) peer.told = toldOf(now)
    yield makeStatus(now, sessions.open().length, wallClock())
  }

  async #exchange(peer: Peer): Promise<void> {
    const { head, sessions, protocol, limits, wallClock, log } = this.#options
    const connection = openConnection(peer)
    if (peer.exchanging || connection === undefined) return
    peer.exchanging = true
    peer.pushedAt = performance.now()
    try {
      const told = head()
      peer.told = toldOf(told)
      const message = makeStatus(told, sessions.open().length, wallClock())
      const sent = performance.now()
      const answer = await requestOne(connection, protocol, message, limits)
      const received = performance.now()
      const status = readStatus(answer, peer.id)
      peer.clock = betterReading(peer.clock, readClock(status.time, sent, received))
      this.#take(peer, status)
    } catch (error) {
      log.debug({ peer: peer.id, err: messageOf(error) }, 'status failed')
      if (error instanceof MolochError && FAULTS.has(error.code)) {
        this.#options.penalise(peer.id, error.code, error.message)
      }
    } finally {
      peer.exchanging = false
    }
    if (peer.session.state === 'DETERMINING') this.#later(peer, RETRY_MS)
    else if (isOpen(peer.session)) this.#follow(peer, head())
  }

  #follow(peer: Peer, head: Head): void {
    // A peer that was ahead is caught up with. One that was equal is shown as behind only when it says so itself.
    if (peer.session.state === 'SYNCING') this.#options.sessions.step(peer, { type: 'head', ownHeight: head.height })
    if (peer.session.state !== 'DETERMINING') this.#push(peer, head)
  }

  #push(peer: Peer, head: Head): void {
    const news = newsFor(peer, head)
    if (news === undefined || peer.exchanging) return
    if (peer.timers.push !== undefined && (news === 'earliest' || !peer.pushCanWait)) return
    const { sessions, settings, random } = this.#options
    const spacing = news === 'height' ? 1 : EARLIEST_SPACING
    const interval = spacing * pushInterval(settings.statusPushMs, sessions.open().length)
    const wait = Math.max(0, peer.pushedAt + interval - performance.now())
    // Some of it by chance: of two peers whose tips move at once, one is to be first.
    const delay = wait + 0.2 * interval * random()
    this.#later(peer, delay, news === 'earliest')
  }

  #later(peer: Peer, delay: number, canWait = false): void {
    clearTimeout(peer.timers.push)
    peer.pushCanWait = canWait
    peer.timers.push = setTimeout(() => {
      delete peer.timers.push
      const untold = peer.session.state === 'DETERMINING' || newsFor(peer, this.#options.head()) !== undefined
      if (isOpen(peer.session) && untold) void this.#exchange(peer)
    }, delay)
  }

  #take(peer: Peer, status: Status): void {
    const { sessions, certifier, head } = this.#options
    const own = head()
    const before = `${peer.height} ${peer.claimedHeight} ${peer.earliestHeight} ${peer.syncing} ${peer.peerCount}`
    const failure = certifier.check(status, own.height)
    peer.claimedHeight = status.height
    peer.earliestHeight = status.earliestHeight
    peer.syncing = status.syncing
    peer.peerCount = status.peerCount
    peer.statusAt = Date.now()
    peer.heardAt = performance.now()
    if (failure === undefined) {
      peer.height = status.height
      peer.headHash = status.headHash.slice()
    } else {
      this.#options.penalise(peer.id, 'BAD_STATUS', `height ${status.height} does not count: ${failure.message}`)
    }
    if (!isOpen(peer.session)) return
    const state = peer.session
    sessions.step(peer, { type: 'status', height: peer.height, ownHeight: own.height })
    const after = `${peer.height} ${peer.claimedHeight} ${peer.earliestHeight} ${peer.syncing} ${peer.peerCount}`
    if (peer.session === state && before !== after) sessions.changed(peer)
  }
}

function toldOf({ height, earliestHeight }: Head): Peer['told'] {
  return { height, earliestHeight }
}

/** What the peer does not know yet; the more pressing of two. */
function newsFor({ told }: Peer, { height, earliestHeight }: Head): 'height' | 'earliest' | undefined {
  if (height > told.height) return 'height'
  return earliestHeight === told.earliestHeight ? undefined : 'earliest'
}

/** @param leastMs the setting @param peers open sessions @returns ms between pushes to one peer */
export function pushInterval(leastMs: number, peers: number): number {
  return Math.max(leastMs, PUSH_SPACING_MS * peers)
}
