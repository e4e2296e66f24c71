import type { Benchmark, Context } from './bench.ts'
import { type Links, openLinks } from './links.ts'
import type { Started } from './node-side.ts'
import type { Side } from './processes.ts'
import { median, type Row, rounded, rowOf } from './rows.ts'
import { anotherHome, type ClientFigures, NODE_SIDE, type SyncSpec, serverHome, syncFrom } from './sync-run.ts'
import { weigh } from './weigh.ts'

/** Some 48 MB: twenty seconds from one peer, so that neither start nor end of a run weighs much. */
const SPEC: SyncSpec = { blocks: 2000, eventsPerBlock: 100, validators: 4 }
/** What a serving peer may send, in Mbit/s. Eight peers at 20 would ask more of this machine's cores than it has. */
const MEGABITS = 20
const MEGABITS_OF_EIGHT = 8

export interface Measured {
  readonly servers: number
  /** What each of them may send, in Mbit/s. */
  readonly megabits: number
  readonly bytesPerBlock: number
  readonly figures: readonly Pick<ClientFigures, 'seconds' | 'peersUsed'>[]
  readonly how: string
}

/** Figures of this process, by number of peers and limit: baselines are looked at by several rows. */
const measured = new Map<string, Promise<Measured>>()

function measure(servers: number, megabits: number, context: Context): Promise<Measured> {
  const key = `${servers} at ${megabits}`
  const known = measured.get(key) ?? take(servers, megabits, context)
  measured.set(key, known)
  return known
}

async function take(servers: number, megabits: number, context: Context): Promise<Measured> {
  const { runs, say } = context
  const { chain, remove } = await serverHome(SPEC, say)
  const links = openLinks({ servers, megabits }, NODE_SIDE, context)
  const sides: Side[] = []
  try {
    const bytesPerBlock = await weigh(chain)
    const addresses: string[] = []
    for (let i = 0; i < servers; i++) {
      const side = links.server(i)
      sides.push(side)
      addresses.push(await serve(side, await anotherHome(chain, `server-${i}`), i, links))
    }
    const figures: ClientFigures[] = []
    for (let i = 0; i < runs; i++) {
      const client = links.client()
      sides.push(client)
      const one = await syncFrom(addresses, client, chain)
      figures.push(one)
      const rate = `${(SPEC.blocks / one.seconds).toFixed(1)} blocks/s in ${one.seconds.toFixed(1)} s`
      say(`sync.parallel: ${one.peersUsed} of ${servers} peers used, ${megabits} Mbit/s each: ${rate}`)
    }
    return { servers, megabits, bytesPerBlock, figures, how: links.how }
  } finally {
    await Promise.all(sides.map((side) => side.stop()))
    await links.close()
    remove()
  }
}

async function serve(side: Side, home: string, index: number, links: Links): Promise<string> {
  const { address } = await side.call<Started>('start', home, {
    'p2p.listen': [`/ip4/${links.host(index)}/tcp/0`]
  })
  return links.way(index, address)
}

function parallel(servers: number, megabits: number): Benchmark {
  const name = `sync.parallel.${servers}`
  return {
    name,
    summary:
      servers === 1
        ? `sync from a peer held to ${megabits} Mbit/s`
        : `sync from ${servers} peers, each held to ${megabits} Mbit/s; ratio: to one such peer`,
    async run(context): Promise<Row> {
      const one = await measure(1, megabits, context)
      return parallelRow(name, await measure(servers, megabits, context), one)
    }
  }
}

/** What `many` peers give at once, compared with `one` of the same limit. */
export function parallelRow(name: string, many: Measured, one: Measured): Row {
  const { servers, megabits, bytesPerBlock, figures, how } = many
  const rates = blocksPerSecond(many)
  const limit = (servers * megabits * 1e6) / 8 / bytesPerBlock
  const conditions = {
    ...SPEC,
    'MB in all': rounded((SPEC.blocks * bytesPerBlock) / 1e6),
    'Mbit/s a peer': megabits,
    'limited by': how,
    'share of the limit': rounded(median(rates) / limit),
    'peers used': Math.min(...figures.map(({ peersUsed }) => peersUsed)),
    processes: servers + 1
  }
  if (servers === 1) return rowOf(name, rates, 'blocks/s', conditions)
  const alone = blocksPerSecond(one)
  return rowOf(name, rates, 'blocks/s', { ...conditions, 'runs of one peer': alone.map(rounded) }, median(alone))
}

function blocksPerSecond({ figures }: Measured): number[] {
  return figures.map(({ seconds }) => SPEC.blocks / seconds)
}

export const syncParallels: readonly Benchmark[] = [
  parallel(1, MEGABITS),
  parallel(2, MEGABITS),
  parallel(4, MEGABITS),
  parallel(8, MEGABITS_OF_EIGHT)
]
