import '../polyfill.ts'
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { checkFinalized, checkHistory, checkProposed } from '../chain/check-block.ts'
import { checkHeader } from '../chain/check-header.ts'
import { type Genesis, parseGenesis } from '../chain/genesis.ts'
import { eventsMessageCheck } from '../chain/gossip-events.ts'
import { type ChunkPlan, checkChunk } from '../chain/snapshot-chunks.ts'
import { VerifiedEvents } from '../chain/verified-events.ts'
import { packEvents } from './event-packing.ts'
import { packHeaders } from './header-packing.ts'
import { JobQueue } from './job-queue.ts'
import type { CheckAnswer, CheckRequest, Packed, WorkerRequest, WorkerSetup } from './messages.ts'
import { packChecks } from './packing.ts'

class Cancelled extends Error {}

/** The thread of a VerifyPool: checks frames, one request after the other but for those that cannot wait. */
class VerifyThread {
  readonly #port: MessagePort
  readonly #genesis: Genesis
  readonly #verified: VerifiedEvents
  readonly #jobs = new JobQueue<CheckRequest>()

  constructor(port: MessagePort, { genesisJson, verified }: WorkerSetup) {
    this.#port = port
    this.#genesis = parseGenesis(genesisJson)
    this.#verified = new VerifiedEvents(this.#genesis.hash, verified)
    port.on('message', (request: WorkerRequest) => {
      this.#take(request)
      this.#work()
    })
  }

  #take(request: WorkerRequest): void {
    if (!('cancel' in request)) this.#jobs.add(request)
    else if (this.#jobs.cancel(request.cancel) !== undefined) this.#answer({ id: request.cancel, cancelled: true })
  }

  /** Does what there is to do; with `current`, what that has to wait for. */
  #work(current?: CheckRequest): void {
    for (;;) {
      // Also what has come since the loop of this thread had its last turn.
      for (let next = receiveMessageOnPort(this.#port); next !== undefined; next = receiveMessageOnPort(this.#port)) {
        this.#take(next.message)
      }
      const job = this.#jobs.begin(current)
      if (job === undefined) return
      this.#do(job)
      this.#jobs.end(job)
    }
  }

  #do(job: CheckRequest): void {
    const { id } = job
    const giveWay = (): void => {
      this.#work(job)
      if (!this.#jobs.isWanted(job)) throw new Cancelled()
    }
    try {
      const packed = this.#check(job, giveWay)
      this.#answer({ id, packed }, [packed.frames, packed.hashes])
    } catch (error) {
      if (error instanceof Cancelled) this.#answer({ id, cancelled: true })
      else this.#answer({ id, error: error instanceof Error ? String(error.stack) : String(error) })
    }
  }

  #answer(answer: CheckAnswer, transfer: ArrayBuffer[] = []): void {
    this.#port.postMessage(answer, transfer)
  }

  #check({ kind, frames, ends, verifyEvents, plan }: CheckRequest, giveWay: () => void): Packed {
    const genesis = this.#genesis
    const verified = this.#verified
    const each = <Result>(check: (bytes: Uint8Array) => Result): Result[] =>
      ends.map((end, index) => {
        if (index > 0) giveWay()
        const start = index === 0 ? 0 : (ends[index - 1] as number)
        return check(new Uint8Array(frames, start, end - start))
      })
    switch (kind) {
      case 'header':
        return packHeaders(
          frames,
          each((bytes) => checkHeader(genesis, bytes))
        )
      case 'chunk': {
        const [checked] = each((bytes) => checkChunk(genesis, [plan as ChunkPlan], 0, bytes))
        return { frames, hashes: new ArrayBuffer(0), failure: checked?.ok === false ? checked.failure : undefined }
      }
      case 'events': {
        const payload = new Uint8Array(frames)
        const steps = eventsMessageCheck(genesis, payload, (event) => verified.isSigned(event))
        let step = steps.next()
        for (; step.done !== true; step = steps.next()) giveWay()
        return packEvents(frames, payload, step.value)
      }
      case 'proposal':
        return packChecks(
          frames,
          each((bytes) => checkProposed(genesis, bytes, { verified, giveWay }))
        )
      case 'history':
        return packChecks(
          frames,
          each((bytes) => checkHistory(genesis, bytes))
        )
      case 'finalized':
        return packChecks(
          frames,
          each((bytes) => checkFinalized(genesis, bytes, { verifyEvents, verified, giveWay }))
        )
    }
  }
}

if (parentPort === null) throw new Error('verify/worker runs in a worker thread only')
new VerifyThread(parentPort, workerData as WorkerSetup)
