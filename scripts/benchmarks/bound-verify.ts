import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { Benchmark } from './bench.ts'
import { rowOf } from './rows.ts'

const SECONDS = 2

/** Ed25519 checks a second on all cores: what no sync that checks every certificate can be faster than. */
export const boundVerify: Benchmark = {
  name: 'bound.verify',
  summary: 'Ed25519 checks/s with libsodium, all cores',
  async run({ runs, say }) {
    const threads = availableParallelism()
    const figures: number[] = []
    for (let i = 0; i < runs; i++) {
      const counts = await Promise.all(Array.from({ length: threads }, () => count(SECONDS)))
      figures.push(counts.reduce((sum, one) => sum + one, 0) / SECONDS)
      say(`bound.verify: ${figures.at(-1)?.toFixed(0)} checks/s`)
    }
    return rowOf('bound.verify', figures, 'checks/s', { threads, message: '100 bytes', seconds: SECONDS })
  }
}

function count(seconds: number): Promise<number> {
  const worker = new Worker(new URL('./verify-thread.js', import.meta.url), { workerData: seconds })
  return new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
  })
}
