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
/** A collection of a whole heap comes every ten seconds or so, and is a twentieth of what a node does in six. */
const SECONDS = 10
/** Of two devnets; then come two new ones, for what the compiler made of the code in one process is luck. */
const PAIRS = 5
/** Until the code is compiled, an event costs twice as much; what traces run is called less often, and takes longer to be. */
const WARM_UPS = 2
const LEAST_ROUNDS = 4

interface Pair {
  /** CPU ms of all nodes for an event that became final. */
  readonly on: number
  readonly off: number
}

/**
 * What a gossip trace costs a network that writes one at every node. Both devnets of a pair are fed at the same time: what
 * else the machine does, which changes from second to second, is on top of both alike.
 */
export const traceCost: Benchmark = {
  name: 'trace.cost',
  summary: 'CPU time of a devnet per finalized event with gossip traces; ratio: to the same without',
  async run(context) {
    const pairs: Pair[] = []
    let traced = 0
    const rounds = Math.max(LEAST_ROUNDS, Math.ceil(context.runs / PAIRS))
    for (let i = 0; i < rounds; i++) {
      const round = await twoDevnets(i % 2 === 0, context)
      pairs.push(...round.pairs)
      traced += round.traced
    }
    return costRow(pairs, {
      validators: VALIDATORS,
      'full nodes': NODES,
      'events/s': RATE,
      'seconds a run': SECONDS,
      'trace kB/event, all nodes': rounded(traced / 1000 / (rounds * (WARM_UPS + PAIRS) * RATE * SECONDS))
    })
  }
}

async function twoDevnets(onFirst: boolean, context: Context): Promise<{ pairs: Pair[]; traced: number }> {
  const { folder, remove } = tempFolder()
  const spec = { validators: VALIDATORS, nodes: NODES, late: false }
  const on = await Devnet.create(join(folder, 'on'), { ...spec, trace: join(folder, 'traces') })
  const off = await Devnet.create(join(folder, 'off'), spec)
  const both = onFirst ? [on, off] : [off, on]
  const stopNow = atEnd(() => {
    for (const devnet of both) devnet.stopNow()
  })
  try {
    for (const devnet of both) await devnet.start()
    const pairs = await measure(on, off, context)
    await on.stop()
    return { pairs, traced: (on.traces ?? []).reduce((sum, file) => sum + statSync(file).size, 0) }
  } finally {
    await Promise.all(both.map((devnet) => devnet.stop()))
    stopNow()
    remove()
  }
}

async function measure(on: Devnet, off: Devnet, { say }: Context): Promise<Pair[]> {
  const pairs: Pair[] = []
  for (let i = 0; i < WARM_UPS + PAIRS; i++) {
    const [traced, without] = await Promise.all([cost(on, i), cost(off, i)])
    say(`trace.cost: ${traced.toFixed(2)} ms CPU an event with traces, ${without.toFixed(2)} without`)
    if (i >= WARM_UPS) pairs.push({ on: traced, off: without })
  }
  return pairs
}

async function cost(devnet: Devnet, seed: number): Promise<number> {
  const pids = devnet.running.flatMap(({ pid }) => pid ?? [])
  const before = cpuSeconds(pids)
  await feed(devnet, { rate: RATE, seconds: SECONDS, seed: seed + 1 })
  return ((cpuSeconds(pids) - before) * 1000) / (RATE * SECONDS)
}

/** The median of the pairs' ratios. */
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
