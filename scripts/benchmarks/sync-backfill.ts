import { cp, rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { createHome } from '../../src/node/create-home.ts'
import type { BuiltChain } from '../../test/support/chain-builder.ts'
import { forgetHistory } from '../../test/support/warped.ts'
import type { Filled } from './backfill-side.ts'
import type { Benchmark, Context } from './bench.ts'
import { tempFolder } from './cleanup.ts'
import type { Started } from './node-side.ts'
import { Side } from './processes.ts'
import { median, type Row, rounded, rowOf } from './rows.ts'
import { NODE_SIDE, type SyncSpec, serverHome, syncOnce } from './sync-run.ts'

const BACKFILL_SIDE = './backfill-side.js'

/** A node that has all but the history, and one that has all: two processes with a TCP connection on 127.0.0.1. */
async function fillOnce({ genesis, blocks, path, home }: BuiltChain): Promise<Filled> {
  const server = new Side(NODE_SIDE)
  const client = new Side(BACKFILL_SIDE)
  const { folder, remove } = tempFolder()
  try {
    const mine = join(folder, 'client')
    await createHome({ home: mine, genesis })
    const chain = join(mine, 'data', 'chain')
    await rm(chain, { recursive: true, force: true })
    await cp(path, chain, { recursive: true })
    await forgetHistory(chain, genesis, blocks)
    const { address } = await server.call<Started>('start', home, {})
    return await client.call<Filled>('fill', mine, address, Math.max(1, availableParallelism() - 1))
  } finally {
    await Promise.all([client.stop(), server.stop()])
    remove()
  }
}

async function row(name: string, spec: SyncSpec, { runs, say }: Context): Promise<Row> {
  const { chain, remove } = await serverHome(spec, say)
  const heights = spec.blocks - 1
  const full: number[] = []
  const filled: Filled[] = []
  try {
    // By turns: whatever else the machine does is in both.
    for (let i = 0; i < runs; i++) {
      full.push(spec.blocks / (await syncOnce(chain)).seconds)
      const one = await fillOnce(chain)
      filled.push(one)
      const [stored, done] = [heights / one.storedSeconds, heights / one.doneSeconds].map((rate) => rate.toFixed(0))
      say(`${name}: ${stored} blocks/s stored, ${done} with certificates and state; full sync ${full[i]?.toFixed(0)}`)
    }
  } finally {
    remove()
  }
  const each = (pick: (figures: Filled) => number): number => rounded(median(filled.map(pick)))
  return rowOf(
    name,
    filled.map(({ storedSeconds }) => heights / storedSeconds),
    'blocks/s',
    {
      ...spec,
      'blocks/s with certificates and state': each(({ doneSeconds }) => heights / doneSeconds),
      'client RSS peak MB': each(({ peakRss }) => peakRss / 1e6),
      'client CPU ms/block': each(({ cpuSeconds }) => (cpuSeconds / heights) * 1000),
      processes: 2,
      baseline: 'full sync of the same chain, by turns',
      'full sync runs': full.map(rounded)
    },
    median(full)
  )
}

function backfill(suffix: string, spec: SyncSpec): Benchmark {
  const name = `sync.backfill.${suffix}`
  const { blocks, eventsPerBlock, validators } = spec
  return {
    name,
    summary: `history of ${blocks} blocks of ${eventsPerBlock} events (${validators} validators) by hash, against full sync`,
    run: (context) => row(name, spec, context)
  }
}

export const syncBackfills: readonly Benchmark[] = [
  backfill('1', { blocks: 10_000, eventsPerBlock: 1, validators: 16 }),
  backfill('100', { blocks: 3000, eventsPerBlock: 100, validators: 4 })
]
