import { cp, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createHome } from '../../src/node/create-home.ts'
import { type BuiltChain, buildChain } from '../../test/support/chain-builder.ts'
import { tempFolder } from './cleanup.ts'
import type { Handicap, Started, SyncStatus, Used } from './node-side.ts'
import { Side } from './processes.ts'

export const NODE_SIDE = './node-side.js'

export interface SyncSpec {
  readonly blocks: number
  readonly eventsPerBlock: number
  readonly validators: number
}

export interface ClientFigures {
  readonly seconds: number
  readonly peersUsed: number
  readonly client: Used
}

export interface SyncFigures extends ClientFigures {
  readonly server: Used
}

/** A run that takes longer has hung. */
const PATIENCE_MS = 300_000
const POLL_MS = 200

/**
 * One full sync: a node that has the chain and one that starts from genesis, two processes with a TCP connection on
 * 127.0.0.1 between them.
 */
export async function syncOnce(chain: BuiltChain, handicap: Handicap = {}): Promise<SyncFigures> {
  const server = new Side(NODE_SIDE)
  const client = new Side(NODE_SIDE)
  try {
    const { address } = await server.call<Started>('start', chain.home, {})
    const figures = await syncFrom([address], client, chain, handicap)
    return { ...figures, server: await server.call<Used>('used') }
  } finally {
    await Promise.all([client.stop(), server.stop()])
  }
}

/**
 * A node that starts from genesis in the process `client` gets the chain from the nodes at `addresses`. The seconds are
 * the client's own, from the start of its range sync to caught up.
 */
export async function syncFrom(
  addresses: readonly string[],
  client: Side,
  { genesis, blocks }: BuiltChain,
  handicap: Handicap = {}
): Promise<ClientFigures> {
  const { folder, remove } = tempFolder()
  try {
    const home = join(folder, 'client')
    await createHome({ home, genesis })
    await client.call<Started>('start', home, { 'p2p.bootstrap': addresses }, handicap)
    const run = await caughtUp(client, blocks)
    const used = await client.call<Used>('used')
    await client.stop()
    return { seconds: run.seconds, peersUsed: run.peers_used, client: used }
  } finally {
    remove()
  }
}

async function caughtUp(client: Side, height: number): Promise<NonNullable<SyncStatus['last_run']>> {
  const until = Date.now() + PATIENCE_MS
  let last: SyncStatus | undefined
  while (Date.now() < until) {
    last = await client.call<SyncStatus>('sync')
    if (last.last_run !== null && last.last_run.to_height >= height) return last.last_run
    await sleep(POLL_MS)
  }
  const why = last?.stalled?.message ?? 'no reason given'
  throw new Error(`the client is at height ${last?.height} of ${height}: ${why}`)
}

/** A home with the chain in it: the builder's, with the keys that a node needs. `remove` its folder when done. */
export async function serverHome(
  spec: SyncSpec,
  say: (line: string) => void
): Promise<{ readonly chain: BuiltChain; readonly remove: () => void }> {
  const { folder, remove } = tempFolder()
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
  return { chain: { ...chain, home, path }, remove }
}

/** Another home with the same chain, beside the first; the nodes of both can run at once. */
export async function anotherHome({ home, path, genesis }: BuiltChain, name: string): Promise<string> {
  const other = join(dirname(home), name)
  await createHome({ home: other, genesis })
  await cp(path, join(other, 'data', 'chain'), { recursive: true })
  return other
}
