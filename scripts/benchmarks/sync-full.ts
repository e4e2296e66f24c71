import type { Benchmark, Context } from './bench.ts'
import { median, type Row, rounded, rowOf } from './rows.ts'
import { type SyncFigures, type SyncSpec, serverHome, syncOnce } from './sync-run.ts'
import { weigh } from './weigh.ts'

const VALIDATORS = 4

interface Measured {
  readonly bytesPerBlock: number
  readonly figures: readonly SyncFigures[]
}

/** Runs of this process, by name: sync.loopdelay looks at the same ones as sync.full.100. */
const measured = new Map<string, Promise<Measured>>()

function measure(name: string, spec: SyncSpec, { runs, say }: Context): Promise<Measured> {
  const known = measured.get(name)
  if (known !== undefined) return known
  const made = take(name, spec, runs, say)
  measured.set(name, made)
  return made
}

async function take(name: string, spec: SyncSpec, runs: number, say: Context['say']): Promise<Measured> {
  const { chain, remove } = await serverHome(spec, say)
  try {
    const bytesPerBlock = await weigh(chain)
    const figures: SyncFigures[] = []
    for (let i = 0; i < runs; i++) {
      const one = await syncOnce(chain)
      figures.push(one)
      const { client, server, seconds } = one
      const rate = `${(spec.blocks / seconds).toFixed(0)} blocks/s`
      const cpu = `CPU a block ${ms(client, spec)} + ${ms(server, spec)} ms`
      say(`${name}: ${rate}, client RSS peak ${(client.peakRss / 1e6).toFixed(0)} MB, ${cpu} (client + server)`)
    }
    return { bytesPerBlock, figures }
  } finally {
    remove()
  }
}

function ms({ cpuSeconds }: { cpuSeconds: number }, { blocks }: SyncSpec): string {
  return ((cpuSeconds / blocks) * 1000).toFixed(2)
}

function syncFull(suffix: string, blocks: number, eventsPerBlock: number): Benchmark {
  const name = `sync.full.${suffix}`
  const spec = { blocks, eventsPerBlock, validators: VALIDATORS }
  return {
    name,
    summary: `full sync of ${blocks} blocks of ${eventsPerBlock} events, every certificate checked`,
    async run(context): Promise<Row> {
      const { bytesPerBlock, figures } = await measure(name, spec, context)
      const raw = await context.row('transport.raw')
      const each = (pick: (figures: SyncFigures) => number): number => rounded(median(figures.map(pick)))
      return rowOf(
        name,
        figures.map(({ seconds }) => blocks / seconds),
        'blocks/s',
        {
          ...spec,
          'bytes/block': rounded(bytesPerBlock),
          'client RSS peak MB': each(({ client }) => client.peakRss / 1e6),
          'client CPU ms/block': each(({ client }) => (client.cpuSeconds / blocks) * 1000),
          'server CPU ms/block': each(({ server }) => (server.cpuSeconds / blocks) * 1000),
          processes: 2,
          baseline: 'transport.raw in blocks of this size'
        },
        (raw.value * 1e6) / bytesPerBlock
      )
    }
  }
}

const FULL_100 = syncFull('100', 3000, 100)

export const syncFulls: readonly Benchmark[] = [FULL_100, syncFull('1', 10_000, 1), syncFull('empty', 10_000, 0)]

/** Whether a node that syncs at full speed still answers. */
export const loopDelay: Benchmark = {
  name: 'sync.loopdelay',
  summary: 'p99 of the event-loop delay of the client of sync.full.100, ms',
  async run(context) {
    const spec = { blocks: 3000, eventsPerBlock: 100, validators: VALIDATORS }
    const { figures } = await measure(FULL_100.name, spec, context)
    return rowOf(
      'sync.loopdelay',
      figures.map(({ client }) => client.loopDelayP99),
      'ms',
      {
        of: FULL_100.name,
        'max ms': rounded(median(figures.map(({ client }) => client.loopDelayMax))),
        resolution: '1 ms'
      }
    )
  }
}
