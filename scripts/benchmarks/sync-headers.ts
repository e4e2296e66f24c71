import { availableParallelism } from 'node:os'
import type { BuiltChain } from '../../test/support/chain-builder.ts'
import type { Benchmark } from './bench.ts'
import { tempFolder } from './cleanup.ts'
import type { LightFigures, LightTask } from './light-side.ts'
import type { Started, Used } from './node-side.ts'
import { Side } from './processes.ts'
import { median, rounded, rowOf } from './rows.ts'
import { NODE_SIDE, serverHome } from './sync-run.ts'

/** The chain of sync.memory, made once for both; long enough that compiling the code is no large part of it. */
const SPEC = { blocks: 20_000, eventsPerBlock: 100, validators: 4 }
/** The seal, and as many precommits as it takes. */
const CHECKS = 1 + 3
/** Threads that check: one a core, for a core that waits for the main thread is a core that checks nothing. */
const WORKERS = availableParallelism()

interface Figures {
  readonly client: LightFigures
  readonly server: Used
}

/** Whether a light node that catches up is as fast as signatures can be checked. */
export const syncHeaders: Benchmark = {
  name: 'sync.headers',
  summary: `header sync of ${SPEC.blocks} blocks of ${SPEC.eventsPerBlock} events, every listed signature checked`,
  async run({ runs, say, row }) {
    const bound = await row('bound.verify')
    const { chain, remove } = await serverHome(SPEC, say)
    try {
      const figures: Figures[] = []
      for (let i = 0; i < runs; i++) {
        const one = await syncOnce(chain)
        figures.push(one)
        const { seconds, mainSeconds } = one.client
        const rate = `${(SPEC.blocks / seconds).toFixed(0)} headers/s`
        say(`sync.headers: ${rate}, main thread busy ${((100 * mainSeconds) / seconds).toFixed(0)} %`)
      }
      const each = (pick: (figures: Figures) => number): number => rounded(median(figures.map(pick)))
      return rowOf(
        'sync.headers',
        figures.map(({ client }) => (SPEC.blocks * CHECKS) / client.seconds),
        'checks/s',
        {
          ...SPEC,
          'checks/header': CHECKS,
          'headers/s': each(({ client }) => SPEC.blocks / client.seconds),
          'client CPU us/header': each(({ client }) => (client.cpuSeconds / SPEC.blocks) * 1e6),
          'of its main thread': each(({ client }) => (client.mainSeconds / SPEC.blocks) * 1e6),
          'server CPU us/header': each(({ server }) => (server.cpuSeconds / SPEC.blocks) * 1e6),
          'client RSS peak MB': each(({ client }) => client.peakRss / 1e6),
          workers: WORKERS,
          processes: 2,
          baseline: 'bound.verify'
        },
        bound.value
      )
    } finally {
      remove()
    }
  }
}

async function syncOnce(chain: BuiltChain): Promise<Figures> {
  const server = new Side(NODE_SIDE)
  const client = new Side('./light-side.js')
  const { folder, remove } = tempFolder()
  try {
    const { address } = await server.call<Started>('start', chain.home, {})
    const before = await server.call<Used>('used')
    const task: LightTask = {
      genesisJson: chain.genesis.json,
      folder,
      address,
      height: chain.blocks,
      workers: WORKERS
    }
    const figures = await client.call<LightFigures>('sync', task)
    const used = await server.call<Used>('used')
    return { client: figures, server: { ...used, cpuSeconds: used.cpuSeconds - before.cpuSeconds } }
  } finally {
    await Promise.all([client.stop(), server.stop()])
    remove()
  }
}
