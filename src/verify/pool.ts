import type { CheckOptions, CheckResult, ProposedBlock } from '../chain/check-block.ts'
import type { HeaderCheck } from '../chain/check-header.ts'
import type { EventsMessage } from '../chain/gossip-events.ts'
import type { Checked } from '../chain/gossip-rules.ts'
import type { ChunkPlan } from '../chain/snapshot-chunks.ts'
import type { ChunkFailureCode, SnapshotFailure } from '../chain/snapshot-failures.ts'
import { VerifiedEvents } from '../chain/verified-events.ts'
import { MolochError } from '../error.ts'
import { type PackedEvents, unpackEvents } from './event-packing.ts'
import { type PackedHeaders, unpackHeaders } from './header-packing.ts'
import type { CheckRequest, Packed, PackedChunk, Urgency } from './messages.ts'
import { type PackedChecks, unpackChecks } from './packing.ts'
import { cancelled, JOBS_PER_THREAD, type Job, Threads } from './threads.ts'

export interface VerifyPoolOptions {
  /** `Genesis.json` */
  readonly genesisJson: string
  /** Events whose signature was checked before: the threads look them up, and add to them. */
  readonly verified?: VerifiedEvents | undefined
  /** Threads. */
  readonly size: number
  /** Jobs that may be held here before `check` makes its callers wait; their bytes are copies. */
  readonly maxJobs?: number
  /** For bundlers and tests: where the worker's script is. */
  readonly workerUrl?: URL
}

export interface ProposalCheckOptions {
  /** Ends the check with VERIFY_CANCELLED. */
  readonly signal?: AbortSignal | undefined
}

export type EventsLane = Extract<Urgency, 'vouched' | 'unvouched'>

type Order = Pick<CheckRequest, 'kind' | 'plan'> & Partial<Pick<CheckRequest, 'urgency' | 'verifyEvents'>>

/**
 * Checks blocks, headers and events in worker threads, so that a full-speed sync leaves the main loop to pings, gossip and the API.
 * Give it many blocks a call: a call costs a copy of the bytes and two messages. What consensus waits for is checked before
 * all else, also before what is in work (messages.ts, Urgency); it waits for no room, as there is little of it.
 */
export class VerifyPool {
  readonly #threads: Threads
  readonly #maxJobs: number
  /** Callers that wait for room. */
  readonly #waiting: (() => void)[] = []
  #jobs = 0
  #admitted = 0
  #nextId = 0

  constructor({ genesisJson, verified, size, maxJobs, workerUrl }: VerifyPoolOptions) {
    this.#maxJobs = maxJobs ?? size * (JOBS_PER_THREAD + 2)
    this.#threads = new Threads(
      size,
      { genesisJson, verified: verified?.memory ?? VerifiedEvents.memoryFor(0) },
      workerUrl
    )
  }

  /** Calls that are not answered yet, those that wait for room included. */
  get queueDepth(): number {
    return this.#jobs + this.#admitted + this.#waiting.length
  }

  /**
   * `checkFinalized` of each frame, in order. The blocks are views of a copy, so the frames may be let go. While the
   * pool is full the call waits: await it before fetching more, and the pool's pace is yours.
   * @throws MolochError VERIFY_CLOSED | VERIFY_CRASHED | VERIFY_FAILED
   */
  check(frames: readonly Uint8Array[], { verifyEvents }: CheckOptions = {}): Promise<CheckResult[]> {
    return this.#blocks({ kind: 'finalized', verifyEvents: verifyEvents === true }, frames)
  }

  /** `checkFinalized` of a block whose commit was found good, before all else. @throws as `check` */
  async checkCertified(frame: Uint8Array): Promise<CheckResult> {
    const [result] = await this.#blocks({ kind: 'finalized', urgency: 'certified' }, [frame])
    return result as CheckResult
  }

  /** `checkHistory` of each frame, in order; otherwise as `check`. @throws as `check` */
  checkHistory(frames: readonly Uint8Array[]): Promise<CheckResult[]> {
    return this.#blocks({ kind: 'history' }, frames)
  }

  /** `checkHeader` of each encoded TrustedHeader, in order; otherwise as `check`. @throws as `check` */
  async checkHeaders(frames: readonly Uint8Array[]): Promise<HeaderCheck[]> {
    const { packed, ends } = await this.#run({ kind: 'header' }, frames)
    return unpackHeaders(packed as PackedHeaders, ends)
  }

  /**
   * `checkProposed` of one encoded Block, the newest first.
   * @throws as `check`; MolochError VERIFY_CANCELLED
   */
  async checkProposed(
    blockBytes: Uint8Array,
    { signal }: ProposalCheckOptions = {}
  ): Promise<CheckResult<ProposedBlock>> {
    const [result] = await this.#blocks({ kind: 'proposal', urgency: 'proposal' }, [blockBytes], signal)
    return result as CheckResult<ProposedBlock>
  }

  /**
   * `eventsMessageCheck` of a message of the `events` topic. It waits for no room: the caller bounds what it lets in.
   * @param lane whether a validator vouches for it; what a message says of that is for the caller to check
   * @throws as `check`
   */
  async checkEvents(payload: Uint8Array, lane: EventsLane): Promise<Checked<EventsMessage>> {
    return unpackEvents((await this.#run({ kind: 'events', urgency: lane }, [payload])).packed as PackedEvents)
  }

  /**
   * Whether bytes are the chunk of a snapshot that they must be (checkChunk).
   * @returns what is wrong with them; undefined: nothing
   * @throws as `check`
   */
  async checkChunk(plan: ChunkPlan, data: Uint8Array): Promise<SnapshotFailure<ChunkFailureCode> | undefined> {
    return ((await this.#run({ kind: 'chunk', plan }, [data])).packed as PackedChunk).failure
  }

  /** Ends the threads. What is not answered yet is refused with VERIFY_CLOSED. */
  async close(): Promise<void> {
    await this.#threads.stop(new MolochError('VERIFY_CLOSED', 'the verify pool is closed'))
  }

  async #blocks(order: Order, frames: readonly Uint8Array[], signal?: AbortSignal): Promise<CheckResult[]> {
    return unpackChecks((await this.#run(order, frames, signal)).packed as PackedChecks)
  }

  async #run(
    { kind, urgency = 'later', verifyEvents = false, plan }: Order,
    frames: readonly Uint8Array[],
    signal?: AbortSignal
  ): Promise<{ readonly packed: Packed; readonly ends: readonly number[] }> {
    const entered = this.#enter(urgency === 'later')
    // Where there is room the bytes are read at once.
    const leave = entered instanceof Promise ? await entered : entered
    try {
      this.#threads.assertOpen()
      const request: CheckRequest = { id: this.#nextId++, kind, urgency, ...join(frames), verifyEvents, plan }
      return { packed: await this.#answerTo(request, signal), ends: request.ends }
    } finally {
      leave()
    }
  }

  async #answerTo(request: CheckRequest, signal: AbortSignal | undefined): Promise<Packed> {
    if (signal?.aborted === true) throw cancelled()
    let cancel = (): void => {}
    try {
      return await new Promise<Packed>((resolve, reject) => {
        const job: Job = { request, resolve, reject }
        cancel = () => this.#threads.cancel(job)
        signal?.addEventListener('abort', cancel)
        this.#threads.add(job)
      })
    } finally {
      signal?.removeEventListener('abort', cancel)
    }
  }

  /** @returns to be called when the call is answered */
  #enter(needsRoom: boolean): (() => void) | Promise<() => void> {
    if (!needsRoom) {
      this.#admitted++
      return () => {
        this.#admitted--
      }
    }
    const leave = (): void => {
      // The place goes to who has waited longest, so that no newcomer overtakes it.
      const next = this.#waiting.shift()
      if (next === undefined) this.#jobs--
      else next()
    }
    if (this.#jobs >= this.#maxJobs) return new Promise((enter) => this.#waiting.push(() => enter(leave)))
    this.#jobs++
    return leave
  }
}

/**
 * The frames in one buffer of their own. A copy, as the buffer is transferred, and a frame from the network may share
 * its buffer with others that are still being read.
 */
function join(frames: readonly Uint8Array[]): Pick<CheckRequest, 'frames' | 'ends'> {
  let length = 0
  const ends = frames.map((frame) => {
    length += frame.byteLength
    return length
  })
  const joined = new Uint8Array(length)
  frames.forEach((frame, index) => {
    joined.set(frame, index === 0 ? 0 : ends[index - 1])
  })
  return { frames: joined.buffer, ends }
}
