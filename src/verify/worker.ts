import '../polyfill.ts'
import { parentPort, workerData } from 'node:worker_threads'
import { checkFinalized, checkHistory, checkProposed } from '../chain/check-block.ts'
import { checkHeader } from '../chain/check-header.ts'
import { type Genesis, parseGenesis } from '../chain/genesis.ts'
import { type ChunkPlan, checkChunk } from '../chain/snapshot-chunks.ts'
import { VerifiedEvents } from '../chain/verified-events.ts'
import { packHeaders } from './header-packing.ts'
import type { CheckAnswer, CheckRequest, Packed, WorkerSetup } from './messages.ts'
import { packChecks } from './packing.ts'

/** The thread of a VerifyPool: checks frames one request after the other. */
function serve(genesis: Genesis, verified: VerifiedEvents | undefined): void {
  const port = parentPort
  if (port === null) throw new Error('verify/worker runs in a worker thread only')
  port.on('message', (request: CheckRequest) => {
    let answer: CheckAnswer
    try {
      answer = { id: request.id, packed: check(genesis, verified, request) }
    } catch (error) {
      port.postMessage({ id: request.id, error: error instanceof Error ? String(error.stack) : String(error) })
      return
    }
    port.postMessage(answer, [answer.packed.frames, answer.packed.hashes])
  })
}

function check(
  genesis: Genesis,
  verified: VerifiedEvents | undefined,
  { kind, frames, ends, verifyEvents, plan }: CheckRequest
): Packed {
  const each = ends.map((end, index) => {
    const start = index === 0 ? 0 : (ends[index - 1] as number)
    return new Uint8Array(frames, start, end - start)
  })
  switch (kind) {
    case 'header':
      return packHeaders(
        frames,
        each.map((bytes) => checkHeader(genesis, bytes))
      )
    case 'chunk': {
      const checked = checkChunk(genesis, [plan as ChunkPlan], 0, each[0] as Uint8Array)
      return { frames, hashes: new ArrayBuffer(0), failure: checked.ok ? undefined : checked.failure }
    }
    case 'proposal':
      return packChecks(
        frames,
        each.map((bytes) => checkProposed(genesis, bytes, verified))
      )
    case 'history':
      return packChecks(
        frames,
        each.map((bytes) => checkHistory(genesis, bytes))
      )
    case 'finalized':
      return packChecks(
        frames,
        each.map((bytes) => checkFinalized(genesis, bytes, { verifyEvents, verified }))
      )
  }
}

const setup = workerData as WorkerSetup
const genesis = parseGenesis(setup.genesisJson)
serve(genesis, setup.verified && new VerifiedEvents(genesis.hash, setup.verified))
