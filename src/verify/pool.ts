import { Worker } from 'node:worker_threads'
import type { CheckOptions, CheckResult, ProposedBlock } from '../chain/check-block.ts'
import type { HeaderCheck } from '../chain/check-header.ts'
import type { ChunkPlan } from '../chain/snapshot-chunks.ts'
import type { ChunkFailureCode, SnapshotFailure } from '../chain/snapshot-failures.ts'
import type { VerifiedEvents } from '../chain/verified-events.ts'
import { MolochError, messageOf } from '../error.ts'
import { type PackedHeaders, unpackHeaders } from './header-packing.ts'
import type { CheckAnswer, CheckRequest, Packed, PackedChunk, WorkerSetup } from './messages.ts'
import { type PackedChecks, unpackChecks } from './packing.ts'

/**
 * - VERIFY_CLOSED: the pool was closed before the answer.
 * - VERIFY_CRASHED: the thread that had the job died; it was not the block's doing as far as one can know. Try again.
 * - VERIFY_FAILED: a checker threw, which is a bug, or threads die as fast as they are started.
 */
export type VerifyErrorCode = 'VERIFY_CLOSED' | 'VERIFY_CRASHED' | 'VERIFY_FAILED'

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

/** Jobs at one thread: one in work, and one so that it need not wait for the main loop's next turn. */
const JOBS_PER_THREAD = 2
/** Threads that died in a row without an answer before the pool gives up: a broken install, not bad luck. */
const MAX_CRASHES_IN_A_ROW = 5

interface Job {
  readonly request: CheckRequest
  readonly resolve: (packed: Packed) => void
  readonly reject: (error: MolochError<VerifyErrorCode>) => void
}

interface Thread {
  readonly worker: Worker
  readonly jobs: Map<number, Job>
}

/** What a check makes is dead when it ends: V8's default of 48 MiB a thread would only be touched, never needed. */
const YOUNG_GENERATION_MB = 8

/**
 * Checks blocks and headers in worker threads, so that a full-speed sync leaves the main loop to pings, gossip and the API. Give it
 * many blocks a call: a call costs a copy of the bytes and two messages.
 */
export class VerifyPool {
  readonly #options: VerifyPoolOptions
  readonly #maxJobs: number
  readonly #threads = new Set<Thread>()
  readonly #queue: Job[] = []
  /** Callers that wait for room. */
  readonly #waiting: (() => void)[] = []
  #jobs = 0
  #nextId = 0
  #crashes = 0
  #stopped: MolochError<VerifyErrorCode> | undefined

  constructor(options: VerifyPoolOptions) {
    this.#options = options
    this.#maxJobs = options.maxJobs ?? options.size * (JOBS_PER_THREAD + 2)
    for (let i = 0; i < options.size; i++) this.#startThread()
  }

  /** Calls that are not answered yet, those that wait for room included. */
  get queueDepth(): number {
    return this.#jobs + this.#waiting.length
  }

  /**
   * `checkFinalized` of each frame, in order. The blocks are views of a copy, so the frames may be let go. While the
   * pool is full the call waits: await it before fetching more, and the pool's pace is yours.
   * @throws MolochError VERIFY_CLOSED | VERIFY_CRASHED | VERIFY_FAILED
   */
  check(frames: readonly Uint8Array[], options: CheckOptions = {}): Promise<CheckResult[]> {
    return this.#blocks('finalized', frames, options.verifyEvents === true)
  }

  /** `checkHistory` of each frame, in order; otherwise as `check`. @throws as `check` */
  checkHistory(frames: readonly Uint8Array[]): Promise<CheckResult[]> {
    return this.#blocks('history', frames, false)
  }

  /** `checkHeader` of each encoded TrustedHeader, in order; otherwise as `check`. @throws as `check` */
  async checkHeaders(frames: readonly Uint8Array[]): Promise<HeaderCheck[]> {
    const { packed, ends } = await this.#run('header', frames, false)
    return unpackHeaders(packed as PackedHeaders, ends)
  }

  /** `checkProposed` of one encoded Block. @throws as `check` */
  async checkProposed(blockBytes: Uint8Array): Promise<CheckResult<ProposedBlock>> {
    const [result] = await this.#blocks('proposal', [blockBytes], true)
    return result as CheckResult<ProposedBlock>
  }

  /**
   * Whether bytes are the chunk of a snapshot that they must be (checkChunk).
   * @returns what is wrong with them; undefined: nothing
   * @throws as `check`
   */
  async checkChunk(plan: ChunkPlan, data: Uint8Array): Promise<SnapshotFailure<ChunkFailureCode> | undefined> {
    return ((await this.#run('chunk', [data], false, plan)).packed as PackedChunk).failure
  }

  /** Ends the threads. What is not answered yet is refused with VERIFY_CLOSED. */
  async close(): Promise<void> {
    await this.#stop(new MolochError('VERIFY_CLOSED', 'the verify pool is closed'))
  }

  async #blocks(
    kind: Exclude<CheckRequest['kind'], 'header' | 'chunk'>,
    frames: readonly Uint8Array[],
    verifyEvents: boolean
  ): Promise<CheckResult[]> {
    return unpackChecks((await this.#run(kind, frames, verifyEvents)).packed as PackedChecks)
  }

  async #run(
    kind: CheckRequest['kind'],
    frames: readonly Uint8Array[],
    verifyEvents: boolean,
    plan?: ChunkPlan
  ): Promise<{ readonly packed: Packed; readonly ends: readonly number[] }> {
    if (this.#jobs < this.#maxJobs) this.#jobs++
    else await new Promise<void>((resume) => this.#waiting.push(resume))
    try {
      if (this.#stopped !== undefined) throw this.#stopped
      const request: CheckRequest = { id: this.#nextId++, kind, ...join(frames), verifyEvents, plan }
      const packed = await new Promise<Packed>((resolve, reject) => {
        this.#queue.push({ request, resolve, reject })
        this.#dispatch()
      })
      return { packed, ends: request.ends }
    } finally {
      // The place goes to who has waited longest, so that no newcomer overtakes it.
      const next = this.#waiting.shift()
      if (next === undefined) this.#jobs--
      else next()
    }
  }

  /** Hands queued jobs to the threads that have the fewest. */
  #dispatch(): void {
    while (this.#queue.length > 0) {
      let idlest: Thread | undefined
      for (const thread of this.#threads) {
        if (idlest === undefined || thread.jobs.size < idlest.jobs.size) idlest = thread
      }
      if (idlest === undefined || idlest.jobs.size >= JOBS_PER_THREAD) return
      const job = this.#queue.shift() as Job
      idlest.jobs.set(job.request.id, job)
      idlest.worker.postMessage(job.request, [job.request.frames])
    }
  }

  #startThread(): void {
    const { genesisJson, verified } = this.#options
    const setup: WorkerSetup = { genesisJson, verified: verified?.memory }
    const worker = new Worker(this.#options.workerUrl ?? workerUrl(), {
      workerData: setup,
      name: 'verify',
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB }
    })
    const thread: Thread = { worker, jobs: new Map() }
    let reason = 'ended by itself'
    worker.on('message', (answer: CheckAnswer) => this.#answer(thread, answer))
    worker.on('error', (error) => {
      reason = messageOf(error)
    })
    // Comes after `error`, and also when there was none.
    worker.on('exit', () => this.#replace(thread, reason))
    this.#threads.add(thread)
  }

  #answer(thread: Thread, answer: CheckAnswer): void {
    const job = thread.jobs.get(answer.id)
    thread.jobs.delete(answer.id)
    this.#crashes = 0
    if ('error' in answer) job?.reject(new MolochError('VERIFY_FAILED', `a checker threw: ${answer.error}`))
    else job?.resolve(answer.packed)
    this.#dispatch()
  }

  #replace(thread: Thread, reason: string): void {
    if (!this.#threads.delete(thread) || this.#stopped !== undefined) return
    this.#crashes++
    for (const { reject } of thread.jobs.values()) {
      reject(new MolochError('VERIFY_CRASHED', `a verify thread died: ${reason}`, { reason }))
    }
    if (this.#crashes >= MAX_CRASHES_IN_A_ROW) {
      void this.#stop(new MolochError('VERIFY_FAILED', `verify threads die as fast as they are started: ${reason}`))
      return
    }
    this.#startThread()
    this.#dispatch()
  }

  /** Refuses everything from now on. */
  async #stop(error: MolochError<VerifyErrorCode>): Promise<void> {
    if (this.#stopped !== undefined) return
    this.#stopped = error
    const threads = [...this.#threads]
    this.#threads.clear()
    const jobs = [...this.#queue.splice(0), ...threads.flatMap((thread) => [...thread.jobs.values()])]
    for (const { reject } of jobs) reject(error)
    await Promise.all(threads.map(({ worker }) => worker.terminate()))
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

/** Threads load JavaScript: run from sources (tests), the built worker is taken. */
function workerUrl(): URL {
  const fromSources = import.meta.url.endsWith('.ts')
  return new URL(fromSources ? '../../dist/verify/worker.js' : './worker.js', import.meta.url)
}
