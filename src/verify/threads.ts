import { Worker } from 'node:worker_threads'
import { MolochError, messageOf } from '../error.ts'
import type { CheckAnswer, CheckRequest, Packed, Urgency, WorkerRequest, WorkerSetup } from './messages.ts'

/**
 * - VERIFY_CLOSED: the pool was closed before the answer.
 * - VERIFY_CRASHED: the thread that had the job died; it was not the block's doing as far as one can know. Try again.
 * - VERIFY_FAILED: a checker threw, which is a bug, or threads die as fast as they are started.
 * - VERIFY_CANCELLED: the caller wanted it no more.
 */
export type VerifyErrorCode = 'VERIFY_CLOSED' | 'VERIFY_CRASHED' | 'VERIFY_FAILED' | 'VERIFY_CANCELLED'

export interface Job {
  readonly request: CheckRequest
  readonly resolve: (packed: Packed) => void
  readonly reject: (error: MolochError<VerifyErrorCode>) => void
}

interface Thread {
  readonly worker: Worker
  readonly jobs: Map<number, Job>
  /** How many of them are. */
  patient: number
}

/** What a thread is given only when it has little else of this: it waits here, and takes no place from the rest. */
type Patient = Extract<Urgency, 'later' | 'unvouched'>

/** Of that, jobs at one thread: one in work, and one so that it need not wait for the main loop's next turn. */
export const JOBS_PER_THREAD = 2
/** Threads that died in a row without an answer before the pool gives up: a broken install, not bad luck. */
const MAX_CRASHES_IN_A_ROW = 5
/** What a check makes is dead when it ends: V8's default of 48 MiB a thread would only be touched, never needed. */
const YOUNG_GENERATION_MB = 8

/** The threads of a VerifyPool: which of them has what to do, and a new one in the place of each that dies. */
export class Threads {
  readonly #workerUrl: URL
  readonly #setup: WorkerSetup
  readonly #threads = new Set<Thread>()
  /** Patient jobs that no thread has. */
  readonly #queues: Readonly<Record<Patient, Job[]>> = { later: [], unvouched: [] }
  #crashes = 0
  #stopped: MolochError<VerifyErrorCode> | undefined

  constructor(size: number, setup: WorkerSetup, workerUrl = builtWorker()) {
    this.#workerUrl = workerUrl
    this.#setup = setup
    for (let i = 0; i < size; i++) this.#start()
  }

  /** Throws if no job is taken any more. */
  assertOpen(): void {
    if (this.#stopped !== undefined) throw this.#stopped
  }

  /** Frames are transferred. What is not patient goes to a thread at once, which sorts it in among what it has. */
  add(job: Job): void {
    const { urgency } = job.request
    if (isPatient(urgency)) {
      this.#queues[urgency].push(job)
      this.#dispatch()
    } else {
      this.#give(this.#idlest(({ jobs }) => jobs.size) as Thread, job)
    }
  }

  /** The job is refused with VERIFY_CANCELLED; a thread that has it leaves it as soon as it can. */
  cancel(job: Job): void {
    const { id } = job.request
    job.reject(cancelled())
    for (const queue of Object.values(this.#queues)) {
      const at = queue.indexOf(job)
      if (at >= 0) queue.splice(at, 1)
    }
    for (const { worker, jobs } of this.#threads) {
      if (jobs.has(id)) worker.postMessage({ cancel: id } satisfies WorkerRequest)
    }
  }

  /** Refuses everything from now on. */
  async stop(error: MolochError<VerifyErrorCode>): Promise<void> {
    if (this.#stopped !== undefined) return
    this.#stopped = error
    const threads = [...this.#threads]
    this.#threads.clear()
    const { later, unvouched } = this.#queues
    const jobs = [...later.splice(0), ...unvouched.splice(0), ...threads.flatMap((thread) => [...thread.jobs.values()])]
    for (const { reject } of jobs) reject(error)
    await Promise.all(threads.map(({ worker }) => worker.terminate()))
  }

  /** Hands queued jobs to the threads that have the fewest; what this node has asked for goes first. */
  #dispatch(): void {
    const { later, unvouched } = this.#queues
    for (;;) {
      const idlest = this.#idlest(({ patient }) => patient)
      if (idlest === undefined || idlest.patient >= JOBS_PER_THREAD) return
      const next = later.shift() ?? unvouched.shift()
      if (next === undefined) return
      this.#give(idlest, next)
    }
  }

  #give(thread: Thread, job: Job): void {
    const { worker, jobs } = thread
    jobs.set(job.request.id, job)
    if (isPatient(job.request.urgency)) thread.patient++
    worker.postMessage(job.request, [job.request.frames])
  }

  #idlest(load: (thread: Thread) => number): Thread | undefined {
    let idlest: Thread | undefined
    for (const thread of this.#threads) {
      if (idlest === undefined || load(thread) < load(idlest)) idlest = thread
    }
    return idlest
  }

  #start(): void {
    const worker = new Worker(this.#workerUrl, {
      workerData: this.#setup,
      name: 'verify',
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB }
    })
    const thread: Thread = { worker, jobs: new Map(), patient: 0 }
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
    if (job !== undefined && isPatient(job.request.urgency)) thread.patient--
    this.#crashes = 0
    if ('error' in answer) job?.reject(new MolochError('VERIFY_FAILED', `a checker threw: ${answer.error}`))
    // Of one that was cancelled the caller has been told.
    else if ('packed' in answer) job?.resolve(answer.packed)
    this.#dispatch()
  }

  #replace(thread: Thread, reason: string): void {
    if (!this.#threads.delete(thread) || this.#stopped !== undefined) return
    this.#crashes++
    for (const { reject } of thread.jobs.values()) {
      reject(new MolochError('VERIFY_CRASHED', `a verify thread died: ${reason}`, { reason }))
    }
    if (this.#crashes >= MAX_CRASHES_IN_A_ROW) {
      void this.stop(new MolochError('VERIFY_FAILED', `verify threads die as fast as they are started: ${reason}`))
      return
    }
    this.#start()
    this.#dispatch()
  }
}

function isPatient(urgency: Urgency): urgency is Patient {
  return urgency === 'later' || urgency === 'unvouched'
}

export function cancelled(): MolochError<VerifyErrorCode> {
  return new MolochError('VERIFY_CANCELLED', 'nobody wants the result any more')
}

/** Threads load JavaScript: run from sources (tests), the built worker is taken. */
function builtWorker(): URL {
  const fromSources = import.meta.url.endsWith('.ts')
  return new URL(fromSources ? '../../dist/verify/worker.js' : './worker.js', import.meta.url)
}
