import '../../src/polyfill.ts'
import { writeFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { parseArgs } from 'node:util'
import type { Benchmark, Context } from './bench.ts'
import { boundVerify } from './bound-verify.ts'
import { proofEvent } from './proof-event.ts'
import { type Row, table } from './rows.ts'
import { serveLoad } from './serve-load.ts'
import { snapshotBuilds } from './snapshot-build.ts'
import { stateUpdates } from './state-update.ts'
import { syncBackfills } from './sync-backfill.ts'
import { loopDelay, syncFulls } from './sync-full.ts'
import { syncHeaders } from './sync-headers.ts'
import { syncMemory } from './sync-memory.ts'
import { syncParallels } from './sync-parallel.ts'
import { syncWarps } from './sync-warp.ts'
import { traceCost } from './trace-cost.ts'
import { transportRaw } from './transport-raw.ts'

const BENCHMARKS: readonly Benchmark[] = [
  transportRaw,
  boundVerify,
  ...syncFulls,
  loopDelay,
  syncHeaders,
  ...syncParallels,
  ...syncWarps,
  ...syncBackfills,
  syncMemory,
  serveLoad,
  traceCost,
  proofEvent,
  ...stateUpdates,
  ...snapshotBuilds
]
const DEFAULT_RUNS = 3

const HELP = `The benchmarks of the node: scripts/bench [--only NAME,…] [--json FILE] [--runs N] [--proxy]

  --only NAME,…  these alone (and what they are compared with)
  --json FILE    the rows as JSON too
  --runs N       how often each figure is taken; the median counts (default ${DEFAULT_RUNS})
  --proxy        rates are limited by a proxy process even where network namespaces can be made

${BENCHMARKS.map(({ name, summary }) => `  ${name.padEnd(16)} ${summary}`).join('\n')}

With 3 runs on two cores all of sync.parallel takes 6 minutes, sync.memory 6, serve.load 4, trace.cost 5, each of the others one.

Example: scripts/bench --only sync.full.100 --runs 5`

function usage(message: string): never {
  console.error(message)
  process.exit(64)
}

async function main(): Promise<void> {
  const { only, json, runs, proxy, help } = options()
  if (help) {
    console.log(HELP)
    return
  }
  const rows = new Map<string, Promise<Row>>()
  const context: Context = {
    runs,
    proxy,
    say: (line) => console.error(line),
    row: (name) => {
      const known = rows.get(name)
      if (known !== undefined) return known
      const benchmark = BENCHMARKS.find((one) => one.name === name)
      if (benchmark === undefined) throw new Error(`no benchmark ${name}`)
      const row = benchmark.run(context)
      rows.set(name, row)
      return row
    }
  }
  for (const name of only) await context.row(name)
  const done = await Promise.all(rows.values())
  const model = cpus()[0]?.model ?? 'unknown CPU'
  console.log(`Node ${process.version}, ${availableParallelism()} cores, ${model}; medians of ${runs} runs`)
  console.log(table(done))
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(done, null, 2)}\n`)
}

function options() {
  const { values } = parse()
  const names = BENCHMARKS.map(({ name }) => name)
  const only = values.only?.split(',').map((name) => name.trim()) ?? names
  for (const name of only) {
    if (!names.includes(name)) usage(`no benchmark '${name}'; there are ${names.join(', ')}`)
  }
  const runs = Number(values.runs ?? DEFAULT_RUNS)
  if (!Number.isInteger(runs) || runs < 1 || runs > 100)
    usage(`--runs ${values.runs}: an integer of 1 … 100 is accepted`)
  return { only, json: values.json, runs, proxy: values.proxy === true, help: values.help === true }
}

function parse() {
  try {
    return parseArgs({
      options: {
        only: { type: 'string' },
        json: { type: 'string' },
        runs: { type: 'string' },
        proxy: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' }
      }
    })
  } catch (error) {
    return usage(error instanceof Error ? error.message : String(error))
  }
}

await main()
