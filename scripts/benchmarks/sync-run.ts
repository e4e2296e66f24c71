import { mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createHome } from '../../src/node/create-home.ts'
import { type BuiltChain, buildChain } from '../../test/support/chain-builder.ts'
import type { Started, Used } from './node-side.ts'
import { Side } from './processes.ts'

/** The state of a node as its API has it; only what is read here. */
interface SyncStatus {
  readonly sync: {
    readonly height: number
    readonly stalled: { readonly message: string } | null
    readonly last_run: { readonly from_height: number; readonly to_height: number; readonly seconds: number } | null
  }
}

export interface SyncSpec {
  readonly blocks: number
  readonly eventsPerBlock: number
  readonly validators: number
}

export interface SyncFigures {
  readonly seconds: number
  readonly client: Used
  readonly server: Used
}

/** A run that takes longer has hung. */
const PATIENCE_MS = 300_000
const POLL_MS = 200

/**
 * One full sync: a node that has the chain and one that starts from genesis, two processes with a TCP connection on
 * 127.0.0.1 between them. The seconds are the client's own, from the start of its range sync to caught up.
 */
export async function syncOnce(chain: BuiltChain): Promise<SyncFigures> {
  const folder = await mkdtemp(join(tmpdir(), 'moloch-bench-'))
  const server = new Side('./node-side.js')
  const client = new Side('./node-side.js')
  try {
    const home = join(folder, 'client')
    await createHome({ home, genesis: chain.genesis })
    const serving = await server.call<Started>('start', chain.home, {})
    const started = await client.call<Started>('start', home, { 'p2p.bootstrap': [serving.address] })
    const seconds = await caughtUp(started.apiUrl, chain.blocks)
    return { seconds, client: await client.call<Used>('used'), server: await server.call<Used>('used') }
  } finally {
    await Promise.all([client.stop(), server.stop()])
    await rm(folder, { recursive: true, force: true })
  }
}

async function caughtUp(apiUrl: string, height: number): Promise<number> {
  const until = Date.now() + PATIENCE_MS
  let last: SyncStatus['sync'] | undefined
  while (Date.now() < until) {
    const response = await fetch(`${apiUrl}/v1/status`)
    const { sync } = (await response.json()) as SyncStatus
    last = sync
    if (sync.last_run !== null && sync.last_run.to_height >= height) return sync.last_run.seconds
    await sleep(POLL_MS)
  }
  throw new Error(
    `the client is at height ${last?.height} of ${height}: ${last?.stalled?.message ?? 'no reason given'}`
  )
}

/** A home with the chain in it: the builder's, with the keys that a node needs. Whoever asked removes `home`. */
export async function serverHome(spec: SyncSpec, say: (line: string) => void): Promise<BuiltChain> {
  const folder = await mkdtemp(join(tmpdir(), 'moloch-bench-'))
  const built = join(folder, 'built')
  let told = 0
  const chain = await buildChain({
    ...spec,
    home: built,
    onProgress: (height) => {
      if (height - told < 500) return
      told = height
      say(`building the chain: block ${height} of ${spec.blocks}`)
    }
  })
  const home = join(folder, 'home')
  await createHome({ home, genesis: chain.genesis })
  const path = join(home, 'data', 'chain')
  await rm(path, { recursive: true, force: true })
  await rename(chain.path, path)
  return { ...chain, home, path }
}
