import { statSync } from 'node:fs'
import { join } from 'node:path'
import { Devnet } from '../../src/devnet/devnet.ts'
import type { Benchmark, Context } from './bench.ts'
import { atEnd, tempFolder } from './cleanup.ts'
import { cpuSeconds } from './cpu-time.ts'
import { feed } from './feed.ts'
import { median, type Row, rounded, rowOf } from './rows.ts'

const VALIDATORS = 4
const NODES = 1
/** Events a second: what a network that is in use has. */
const RATE = 200
const SECONDS = 8
/** Each kind at least this often; it is the pairs that are compared, for other work on the machine changes in minutes. */
const LEAST_PAIRS = 12

interface Pair {
  /** CPU ms of all nodes for an event that became final. */
  readonly on: number
  readonly off: number
}

/** What a gossip trace costs a network that writes one at every node. */
export const traceCost: Benchmark = {
  name: 'trace.cost',
  summary: 'CPU time of a devnet per finalized event with gossip traces; ratio: to the same without',
  async run(context) {
    const { folder, remove } = tempFolder()
    const trace = join(folder, 'traces')
    const spec = { validators: VALIDATORS, nodes: NODES, late: false }
    // Both run all the time, and in turn one of them is fed: so neither is warmer than the other.
    const on = await Devnet.create(join(folder, 'on'), { ...spec, trace })
    const off = await Devnet.create(join(folder, 'off'), spec)
    const stopNow = atEnd(() => {
      on.stopNow()
      off.stopNow()
    })
    try {
      await on.start()
      await off.start()
      const pairs = await measure(on, off, context)
      await on.stop()
      const traced = (on.traces ?? []).reduce((sum, file) => sum + statSync(file).size, 0)
      const events = RATE * SECONDS * (pairs.length + 1)
      return costRow(pairs, {
        validators: VALIDATORS,
        'full nodes': NODES,
        'events/s': RATE,
        'seconds a run': SECONDS,
        'trace kB/event, all nodes': rounded(traced / 1000 / events)
      })
    } finally {
      await Promise.all([on.stop(), off.stop()])
      stopNow()
      remove()
    }
  }
}

async function measure(on: Devnet, off: Devnet, { runs, say }: Context): Promise<Pair[]> {
  const pairs: Pair[] = []
  for (let i = 0; i <= Math.max(LEAST_PAIRS, runs); i++) {
    // The first of a pair finds the machine as the second of the one before has left it: each is first as often.
    const first = i % 2 === 0 ? await cost(on, i) : undefined
    const without = await cost(off, i)
    const pair = { on: first ?? (await cost(on, i)), off: without }
    say(`trace.cost: ${pair.on.toFixed(2)} ms CPU an event with traces, ${pair.off.toFixed(2)} without`)
    // The first pair warms up.
    if (i > 0) pairs.push(pair)
  }
  return pairs
}

async function cost(devnet: Devnet, seed: number): Promise<number> {
  const pids = devnet.running.flatMap(({ pid }) => pid ?? [])
  const before = cpuSeconds(pids)
  await feed(devnet, { rate: RATE, seconds: SECONDS, seed: seed + 1 })
  return ((cpuSeconds(pids) - before) * 1000) / (RATE * SECONDS)
}

/** The median of the pairs' ratios: of each pair both ran within seconds. */
export function costRow(pairs: readonly Pair[], conditions: Row['conditions']): Row {
  return rowOf(
    'trace.cost',
    pairs.map(({ on, off }) => on / off),
    'CPU, off = 1',
    {
      ...conditions,
      'on CPU ms/event': rounded(median(pairs.map(({ on }) => on))),
      'off CPU ms/event': rounded(median(pairs.map(({ off }) => off)))
    },
    1
  )
}
