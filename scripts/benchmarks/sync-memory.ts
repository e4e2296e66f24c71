import type { Benchmark } from './bench.ts'
import { median, rounded, rowOf } from './rows.ts'
import { type SyncFigures, type SyncSpec, serverHome, syncOnce } from './sync-run.ts'

const SPEC: SyncSpec = { blocks: 20_000, eventsPerBlock: 100, validators: 4 }
/** Of each write, of 32 blocks: a disk that writes some 300 blocks/s whatever the peer sends. */
const WRITE_MS = 100

/**
 * What a node needs at most while its disk is far slower than the peer that it syncs from: what is on its way between
 * the two must not grow with the difference, or with the chain.
 */
export const syncMemory: Benchmark = {
  name: 'sync.memory',
  summary: `peak RSS of a client with a slow disk over ${SPEC.blocks} blocks; baseline: with this machine's disk`,
  async run({ runs, say }) {
    const { chain, remove } = await serverHome(SPEC, say)
    const take = async (writeMs: number): Promise<SyncFigures> => {
      const figures = await syncOnce(chain, writeMs === 0 ? {} : { writeMs })
      const disk = writeMs === 0 ? 'own disk' : `${writeMs} ms a write more`
      say(`sync.memory: ${disk}: RSS peak ${megabytes(figures).toFixed(0)} MB, ${rate(figures).toFixed(0)} blocks/s`)
      return figures
    }
    try {
      const slow: SyncFigures[] = []
      const own: SyncFigures[] = []
      for (let i = 0; i < runs; i++) {
        own.push(await take(0))
        slow.push(await take(WRITE_MS))
      }
      return rowOf(
        'sync.memory',
        slow.map(megabytes),
        'MB',
        {
          ...SPEC,
          'slow disk': `${WRITE_MS} ms a write`,
          'blocks/s': rounded(median(slow.map(rate))),
          'blocks/s with own disk': rounded(median(own.map(rate))),
          'server RSS peak MB': rounded(median(slow.map(({ server }) => server.peakRss / 1e6))),
          processes: 2
        },
        median(own.map(megabytes))
      )
    } finally {
      remove()
    }
  }
}

function rate({ seconds }: SyncFigures): number {
  return SPEC.blocks / seconds
}

function megabytes({ client }: SyncFigures): number {
  return client.peakRss / 1e6
}
