import '../polyfill.ts'
import { parentPort, workerData } from 'node:worker_threads'
import { type CheckResult, checkFinalized, checkProposed } from '../chain/check-block.ts'
import { type Genesis, parseGenesis } from '../chain/genesis.ts'
import type { CheckAnswer, CheckRequest, WorkerSetup } from './messages.ts'
import { packChecks } from './packing.ts'

/** The thread of a VerifyPool: checks frames one request after the other. */
function serve(genesis: Genesis): void {
  const port = parentPort
  if (port === null) throw new Error('verify/worker runs in a worker thread only')
  port.on('message', (request: CheckRequest) => {
    let answer: CheckAnswer
    try {
      answer = { id: request.id, packed: packChecks(request.frames, check(genesis, request)) }
    } catch (error) {
      port.postMessage({ id: request.id, error: error instanceof Error ? String(error.stack) : String(error) })
      return
    }
    port.postMessage(answer, [answer.packed.frames, answer.packed.hashes])
  })
}

function check(genesis: Genesis, { kind, frames, ends, verifyEvents }: CheckRequest): CheckResult[] {
  return ends.map((end, index) => {
    const start = index === 0 ? 0 : (ends[index - 1] as number)
    const bytes = new Uint8Array(frames, start, end - start)
    return kind === 'proposal' ? checkProposed(genesis, bytes) : checkFinalized(genesis, bytes, { verifyEvents })
  })
}

serve(parseGenesis((workerData as WorkerSetup).genesisJson))
