import { MolochError } from '../error.ts'

/** Questions to one peer at once. A full node answers four proofs at once and refuses the fifth. */
const MAX_PER_PEER = 3
/** Questions that wait, all together: against clients of our API that ask more than our peers answer. */
const MAX_WAITING = 256
/** Nobody makes us wait longer than this: a refusal with a huge `retry_after_ms` must not shut a peer out for good. */
const MAX_PAUSE_MS = 60_000
/** For a RATE_LIMITED answer that does not say how long. */
const DEFAULT_PAUSE_MS = 1_000
/** A peer that said RATE_LIMITED is asked one question at a time for this long, with a gap before the next. */
const LIMITED_MS = 30_000
/**
 * The gap after the first refusal; it doubles with each further one up to the last, and shrinks a little with each
 * answer. So about one question in fourteen is refused, whatever the peer's rate: whoever goes on against refusals is
 * taken for a flood.
 */
const FIRST_GAP_MS = 50
const LAST_GAP_MS = 2_000
const SHRINK = 0.95
/** Peers that something is known of: against peers that come under ever new ids. */
const MAX_PEERS = 512

interface Known {
  /** Questions under way. */
  asking: number
  /** Monotonic ms, as all times here. */
  notBefore: number
  refusedAt: number
  limitedUntil: number
  gapMs: number
}

/** Leave to ask one peer one question. */
export interface Turn {
  readonly peer: string
  /** Once, when the question has ended. @param error what it ended with, if it failed */
  end(error?: unknown): void
}

interface Waiting {
  readonly peers: readonly string[]
  readonly deadline: number
  readonly go: (turn: Turn) => void
  readonly drop: (error: Error) => void
}

/**
 * How much each peer may be asked now, for all who ask peers for single things: some questions at once, none before the
 * time that a refusal named. What is too much waits here, in one line; one whose peers are free passes those whose peers
 * are not.
 */
export class PeerPauses {
  readonly #known = new Map<string, Known>()
  readonly #line: Waiting[] = []
  #timer: NodeJS.Timeout | undefined

  /** The first of these peers that may be asked at once; undefined: none of them. */
  take(peers: readonly string[]): Turn | undefined {
    const now = performance.now()
    const peer = peers.find((each) => this.#freeAt(each, now) <= now)
    return peer === undefined ? undefined : this.#begin(peer, now)
  }

  /**
   * The first of these peers that may be asked, waiting for one.
   * @param deadline in ms of performance.now()
   * @throws MolochError BUSY if none may be asked by then, or too many wait; ABORTED
   */
  turn(peers: readonly string[], deadline: number, signal?: AbortSignal): Promise<Turn> {
    const turn = this.take(peers)
    if (turn !== undefined) return Promise.resolve(turn)
    const soonest = Math.min(...peers.map((peer) => this.#known.get(peer)?.notBefore ?? 0))
    if (soonest > deadline) return Promise.reject(busy('all peers that could answer are at their limits'))
    if (this.#line.length >= MAX_WAITING) return Promise.reject(busy(`${MAX_WAITING} questions to peers wait already`))
    return new Promise<Turn>((resolve, reject) => {
      const leave = (): void => {
        this.#leave(waiting)
        reject(new MolochError('ABORTED', 'the question is given up'))
      }
      const waiting: Waiting = {
        peers,
        deadline,
        go: (given) => {
          signal?.removeEventListener('abort', leave)
          resolve(given)
        },
        drop: (error) => {
          signal?.removeEventListener('abort', leave)
          reject(error)
        }
      }
      this.#line.push(waiting)
      signal?.addEventListener('abort', leave, { once: true })
      if (signal?.aborted === true) leave()
      this.#pump()
    })
  }

  /** Peers that something is known of. */
  get size(): number {
    return this.#known.size
  }

  /** When the peer may be asked, as far as it depends on time; never, while it has its number of questions. */
  #freeAt(peer: string, now: number): number {
    const known = this.#known.get(peer)
    if (known === undefined) return now
    const most = known.limitedUntil > now ? 1 : MAX_PER_PEER
    return known.asking >= most ? Number.POSITIVE_INFINITY : known.notBefore
  }

  #begin(peer: string, now: number): Turn {
    const known = this.#known.get(peer) ?? { asking: 0, notBefore: 0, refusedAt: 0, limitedUntil: 0, gapMs: 0 }
    if (!this.#known.has(peer)) this.#makeRoom(now)
    this.#known.set(peer, known)
    if (known.limitedUntil <= now) known.gapMs = 0
    known.asking += 1
    known.notBefore = Math.max(known.notBefore, now + known.gapMs)
    let ended = false
    return {
      peer,
      end: (error) => {
        if (ended) return
        ended = true
        known.asking -= 1
        const told = pauseOf(error)
        if (told === undefined) known.gapMs *= SHRINK
        else pause(known, told, now)
        this.#pump()
      }
    }
  }

  #makeRoom(now: number): void {
    if (this.#known.size < MAX_PEERS) return
    const idle = [...this.#known].filter(([, { asking }]) => asking === 0)
    const over = idle.filter(([, { notBefore, limitedUntil }]) => notBefore <= now && limitedUntil <= now)
    for (const [peer] of over.length > 0 ? over : idle.slice(0, 1)) this.#known.delete(peer)
  }

  #leave(waiting: Waiting): void {
    const at = this.#line.indexOf(waiting)
    if (at >= 0) this.#line.splice(at, 1)
  }

  /** Lets go who may, and sees to it that it is looked again when the next one may or has waited long enough. */
  #pump(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const now = performance.now()
    let next = Number.POSITIVE_INFINITY
    for (const waiting of [...this.#line]) {
      const turn = this.take(waiting.peers)
      if (turn === undefined && now < waiting.deadline) {
        const times = waiting.peers.map((peer) => this.#freeAt(peer, now))
        next = Math.min(next, waiting.deadline, ...times)
        continue
      }
      this.#leave(waiting)
      if (turn === undefined) waiting.drop(busy('no peer that could answer was free in time'))
      else waiting.go(turn)
    }
    if (next < Number.POSITIVE_INFINITY) {
      this.#timer = setTimeout(() => this.#pump(), Math.max(1, Math.ceil(next - now)))
    }
  }
}

/** @param began when the question that was refused began */
function pause(known: Known, toldMs: number, began: number): void {
  const now = performance.now()
  // Those that were under way together are refused together: that is one refusal.
  if (began >= known.refusedAt) known.gapMs = Math.min(LAST_GAP_MS, Math.max(FIRST_GAP_MS, 2 * known.gapMs))
  known.refusedAt = now
  known.limitedUntil = now + LIMITED_MS
  known.notBefore = Math.max(known.notBefore, now + Math.max(known.gapMs, Math.min(MAX_PAUSE_MS, toldMs)))
}

/** How long a peer asks to be left alone. */
function pauseOf(error: unknown): number | undefined {
  if (!(error instanceof MolochError)) return undefined
  if (error.code !== 'RATE_LIMITED' && error.code !== 'NOT_READY') return undefined
  const { retryAfterMs } = error.details
  if (typeof retryAfterMs === 'number' && Number.isFinite(retryAfterMs)) return retryAfterMs
  return error.code === 'RATE_LIMITED' ? DEFAULT_PAUSE_MS : undefined
}

function busy(why: string): MolochError {
  return new MolochError('BUSY', `${why}; ask again in a moment`)
}
