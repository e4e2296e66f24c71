import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { checkpointText } from '../../src/chain/checkpoint.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { silentLog } from '../../src/log.ts'
import { createHome } from '../../src/node/create-home.ts'
import type { BuiltChain } from '../../test/support/chain-builder.ts'
import type { Benchmark, Context } from './bench.ts'
import { tempFolder } from './cleanup.ts'
import type { Started, Used } from './node-side.ts'
import { Side } from './processes.ts'
import { median, type Row, rounded, rowOf } from './rows.ts'
import { NODE_SIDE, type SyncSpec, serverHome } from './sync-run.ts'

const VALIDATORS = 4
const EVENTS = 100
/** Actors, resources and actions together: what the bound is for. */
const FEW_KEYS = 2000
const MANY_KEYS = 100_000
/** A run that takes longer has hung. */
const PATIENCE_MS = 600_000
const POLL_MS = 20

type Settings = Record<string, string | number | boolean | string[]>

interface Following {
  readonly seconds: number
  readonly used: Used
}

function specOf(blocks: number, keys: number): SyncSpec & { readonly resources: number; readonly signers: undefined } {
  // 50 actors and 4 actions beside them.
  return { blocks, eventsPerBlock: EVENTS, validators: VALIDATORS, resources: keys - 54, signers: undefined }
}

/** @returns HEIGHT:HASH of a snapshot of the chain's tip, which is in the home then */
async function snapshotOf({ home, path, genesis, blocks }: BuiltChain): Promise<string> {
  const snapshots = { folder: join(home, 'data', 'snapshots'), keep: 2 }
  const ledger = await Ledger.open({ path, genesis, log: silentLog, snapshots })
  try {
    const height = await ledger.snapshots?.build()
    if (height !== blocks) throw new Error(`the snapshot is of block ${height}, not of the tip ${blocks}`)
    return checkpointText(ledger.tip)
  } finally {
    await ledger.close()
  }
}

/** From the start of a node with an empty home until it follows the tip of the one at `address`, as its API has it. */
async function untilFollowing(
  address: string,
  { genesis, blocks }: BuiltChain,
  settings: Settings
): Promise<Following> {
  const { folder, remove } = tempFolder()
  const client = new Side(NODE_SIDE)
  try {
    const home = join(folder, 'client')
    await createHome({ home, genesis })
    // The process has loaded its code when it has answered once.
    await client.call('used')
    const begun = performance.now()
    await client.call<Started>('start', home, { 'p2p.bootstrap': [address], backfill: false, ...settings })
    let last: { readonly height: number; readonly state: string; readonly earliest: number }
    do {
      last = await client.call('status')
      if (last.height >= blocks && last.state === 'SYNCED') {
        // A warp that finds no snapshot goes over to a full sync.
        const wanted = settings.mode === 'warp' ? blocks : 1
        if (last.earliest !== wanted) throw new Error(`the client holds blocks from ${last.earliest} up, not ${wanted}`)
        return { seconds: (performance.now() - begun) / 1000, used: await client.call<Used>('used') }
      }
      await sleep(POLL_MS)
    } while (performance.now() - begun < PATIENCE_MS)
    throw new Error(`the client is ${last.state} at height ${last.height} of ${blocks}`)
  } finally {
    await client.stop()
    remove()
  }
}

interface Measured {
  readonly full: readonly number[]
  readonly warp: readonly Following[]
}

async function measure(name: string, spec: SyncSpec, fullRuns: number, { runs, say }: Context): Promise<Measured> {
  const { chain, remove } = await serverHome(spec, say)
  const server = new Side(NODE_SIDE)
  try {
    const checkpoint = await snapshotOf(chain)
    const { address } = await server.call<Started>('start', chain.home, {})
    const full: number[] = []
    const warp: Following[] = []
    // By turns: whatever else the machine does is in both.
    for (let i = 0; i < runs; i++) {
      if (i < fullRuns) full.push((await untilFollowing(address, chain, {})).seconds)
      const one = await untilFollowing(address, chain, { mode: 'warp', checkpoint })
      warp.push(one)
      const synced = i < fullRuns ? `, full sync ${full[i]?.toFixed(2)} s` : ''
      say(`${name}: ${one.seconds.toFixed(2)} s to following the tip${synced}`)
    }
    return { full, warp }
  } finally {
    await server.stop()
    remove()
  }
}

function syncWarp(suffix: string, blocks: number, keys: number, fullRuns: (runs: number) => number): Benchmark {
  const name = `sync.warp.${suffix}`
  return {
    name,
    summary: `${blocks} blocks of ${EVENTS} events, ${keys} keys: full sync's time over a warp's`,
    async run(context): Promise<Row> {
      const { full, warp } = await measure(name, specOf(blocks, keys), fullRuns(context.runs), context)
      const seconds = warp.map((one) => one.seconds)
      return rowOf(
        name,
        seconds,
        's',
        {
          blocks,
          eventsPerBlock: EVENTS,
          validators: VALIDATORS,
          keys,
          'full sync over warp': rounded(median(full) / median(seconds)),
          'client CPU s': rounded(median(warp.map(({ used }) => used.cpuSeconds))),
          'client RSS peak MB': rounded(median(warp.map(({ used }) => used.peakRss)) / 1e6),
          processes: 2,
          from: 'start of a node with an empty home',
          to: 'SYNCED at the tip',
          baseline: 'full sync of the same chain, by turns',
          'full sync runs': full.map(rounded)
        },
        median(full)
      )
    }
  }
}

/** What one more key of the state costs a warp. */
const perKey: Benchmark = {
  name: 'sync.warp.key',
  summary: `time of a warp for each key beyond ${FEW_KEYS}, µs`,
  async run(context): Promise<Row> {
    const blocks = MANY_KEYS / EVENTS
    const name = 'sync.warp.key'
    const few = await measure(name, specOf(blocks, FEW_KEYS), 0, context)
    const many = await measure(name, specOf(blocks, MANY_KEYS), 0, context)
    const base = median(few.warp.map(({ seconds }) => seconds))
    const each = many.warp.map(({ seconds }) => ((seconds - base) / (MANY_KEYS - FEW_KEYS)) * 1e6)
    return rowOf(name, each, 'µs', {
      blocks,
      keys: `${FEW_KEYS} against at most ${MANY_KEYS}`,
      's with few': rounded(base)
    })
  }
}

export const syncWarps: readonly Benchmark[] = [
  syncWarp('10k', 10_000, FEW_KEYS, (runs) => runs),
  syncWarp('40k', 40_000, FEW_KEYS, () => 1),
  perKey
]
