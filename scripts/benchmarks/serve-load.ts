import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Devnet, type DevnetNode } from '../../src/devnet/devnet.ts'
import type { Benchmark, Context } from './bench.ts'
import { atEnd, tempFolder } from './cleanup.ts'
import { feed } from './feed.ts'
import type { Eaten } from './hungry-client.ts'
import { Side } from './processes.ts'
import { median, type Row, rounded, rowOf } from './rows.ts'

const CLIENTS = 50
const VALIDATORS = 4
/** Events a second while finality is measured: what a network that is in use has, not the most it can do. */
const RATE = 200
const SECONDS = 20
/** What the clients find: as much as is fed in so many seconds at this rate. When they have it all they start again. */
const BEFORE = { rate: 1000, seconds: 30 }
/** Until all clients are at full speed. */
const SETTLE_MS = 3000
const GREETING_MS = 60_000
/** Each phase at least this often. */
const LEAST_RUNS = 2

export interface Phase {
  /** Of finality, in ms. */
  readonly p50: number
  readonly p99: number
  /** MB/s to all clients. */
  readonly served: number
  readonly eaten: Eaten
}

/** Whether a validator that 50 clients sync from still votes in time. */
export const serveLoad: Benchmark = {
  name: 'serve.load',
  summary: `finality p99 while ${CLIENTS} clients sync from a validator; ratio: to the same from a full node`,
  async run(context) {
    const { folder, remove } = tempFolder()
    const devnet = await Devnet.create(join(folder, 'devnet'), { validators: VALIDATORS, nodes: 1, late: false })
    const stopNow = atEnd(() => devnet.stopNow())
    try {
      await devnet.start()
      context.say(`serve.load: making a chain, ${BEFORE.rate} events/s for ${BEFORE.seconds} s`)
      await feed(devnet, { ...BEFORE, seed: 1 })
      return await measure(devnet, context)
    } finally {
      await devnet.stop()
      stopNow()
      remove()
    }
  }
}

async function measure(devnet: Devnet, { runs, say }: Context): Promise<Row> {
  const [full, validator] = [devnet.node('node-1'), devnet.node('validator-1')]
  const phases = { full: [] as Phase[], validator: [] as Phase[] }
  let seed = 2
  const quiet = await feed(devnet, { rate: RATE, seconds: SECONDS, seed: seed++ })
  say(`serve.load: without clients: p99 ${quiet.percentile(0.99)} ms`)
  for (let i = 0; i < Math.max(LEAST_RUNS, runs); i++) {
    phases.full.push(await phase(devnet, full, seed++, say))
    phases.validator.push(await phase(devnet, validator, seed++, say))
  }
  return loadRow(phases.full, phases.validator, {
    clients: CLIENTS,
    validators: VALIDATORS,
    'events/s': RATE,
    'seconds a phase': SECONDS,
    blocks: (await devnet.status(full.name)).finalized.height,
    'p99 without clients ms': quiet.percentile(0.99) ?? 0,
    processes: VALIDATORS + 2
  })
}

/** Finality while the clients sync from a validator, compared with a full node that serves them. */
export function loadRow(full: readonly Phase[], validator: readonly Phase[], conditions: Row['conditions']): Row {
  const each = (of: readonly Phase[], pick: (phase: Phase) => number): number => rounded(median(of.map(pick)))
  const p99 = ({ p99 }: Phase): number => p99
  return rowOf(
    'serve.load',
    validator.map(p99),
    'ms',
    {
      ...conditions,
      'p50 ms': each(validator, ({ p50 }) => p50),
      'p50 full node ms': each(full, ({ p50 }) => p50),
      'validator served MB/s': each(validator, ({ served }) => served),
      'full node served MB/s': each(full, ({ served }) => served),
      'refused for the rate': each(validator, ({ eaten }) => eaten.limited),
      'failed otherwise': each(validator, ({ eaten }) => eaten.failed),
      'runs of the full node': full.map(p99)
    },
    median(full.map(p99))
  )
}

/** Finality while all clients sync from `server`. */
async function phase(devnet: Devnet, server: DevnetNode, seed: number, say: Context['say']): Promise<Phase> {
  const clients = new Side('./clients-side.js')
  try {
    await clients.call<void>('start', CLIENTS, join(server.home, 'genesis.json'), server.address)
    await devnet.waitFor(
      `${CLIENTS} clients to get blocks`,
      async () => (await clients.call<number>('fed')) === CLIENTS,
      GREETING_MS,
      [server.name]
    )
    await sleep(SETTLE_MS)
    const before = await clients.call<Eaten>('eaten')
    const since = performance.now()
    const latencies = await feed(devnet, { rate: RATE, seconds: SECONDS, seed })
    const seconds = (performance.now() - since) / 1000
    const after = await clients.call<Eaten>('eaten')
    const eaten = difference(after, before)
    const [p50 = 0, p99 = 0] = [latencies.percentile(0.5), latencies.percentile(0.99)]
    const served = eaten.bytes / 1e6 / seconds
    const refused = `${eaten.limited} refused for the rate, ${eaten.failed} failed`
    say(`serve.load: from ${server.name}: p99 ${p99} ms, p50 ${p50} ms, ${served.toFixed(1)} MB/s served, ${refused}`)
    return { p50, p99, served, eaten }
  } finally {
    await clients.stop()
  }
}

function difference(after: Eaten, before: Eaten): Eaten {
  return {
    blocks: after.blocks - before.blocks,
    bytes: after.bytes - before.bytes,
    limited: after.limited - before.limited,
    failed: after.failed - before.failed
  }
}
