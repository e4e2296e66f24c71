import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { toHex } from '../../src/codec/bytes.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { silentLog } from '../../src/log.ts'
import { frameLimit } from '../../src/network/streams/frames.ts'
import { blockItems } from '../../src/sync/blocks.ts'
import { SyncManager } from '../../src/sync/manager.ts'
import type { SyncPeer, SyncRun } from '../../src/sync/types.ts'
import { VerifyPool } from '../../src/verify/pool.ts'
import { ChainPorts, node, type TestNode } from '../network/support/nodes.ts'
import { chainInMemory, type MemoryChain } from '../support/chain-maker.ts'

const BLOCKS = 300

let chain: MemoryChain
let pool: VerifyPool
const cleanups: (() => Promise<unknown>)[] = []

beforeAll(() => {
  chain = chainInMemory(BLOCKS, { eventsPerBlock: 20, seed: 21 })
  pool = new VerifyPool({ genesisJson: chain.genesis.json, size: 1 })
})

afterAll(() => pool.close())

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** A node that has the whole chain; `ports` may answer otherwise. */
function server(keySeed: number, ports = new ChainPorts(BLOCKS, chain)): Promise<TestNode> {
  return node({ genesis: chain.genesis, ports, keySeed })
}

interface Client {
  readonly ledger: Ledger
  readonly manager: SyncManager
  readonly done: Promise<SyncRun>
  readonly penalised: Map<string, string>
}

/** A node at genesis that dials `servers` and syncs by itself. */
async function client(servers: readonly TestNode[]): Promise<Client> {
  const folder = await mkdtemp(join(tmpdir(), 'moloch-sync-'))
  cleanups.push(() => rm(folder, { recursive: true, force: true }))
  const ledger = await Ledger.open({ path: join(folder, 'chain'), genesis: chain.genesis, log: silentLog })
  cleanups.push(() => ledger.close())
  const ports = new ChainPorts(0, chain)
  ledger.on('finalized', ({ block }) => {
    ports.height = block.height
  })
  const { network } = await node({ genesis: chain.genesis, ports, keySeed: 9 })
  const manager = new SyncManager(
    {
      ledger,
      items: blockItems(pool, (peer, range, signal) => network.getBlocks(peer, range, { signal })),
      log: silentLog
    },
    { frameBytes: frameLimit(chain.genesis.params.maxBlockBytes) }
  )
  cleanups.push(() => manager.stop())
  const done = new Promise<SyncRun>((resolve) => manager.on('done', resolve))
  const penalised = new Map<string, string>()
  manager.on('penalise', (peer, { code }) => {
    penalised.set(peer, code)
    network.penalise(peer, code)
  })
  // All of them before the first is asked, or the first could be done before the last has said hello.
  const known = new Map<string, SyncPeer>()
  network.sessions.on('update', ({ peerId, source, height, earliestHeight }) => {
    if (!source || height === 0) return
    known.set(peerId, { id: peerId, height, earliest: earliestHeight })
    if (known.size === servers.length) for (const peer of known.values()) manager.setPeer(peer)
  })
  network.sessions.on('closed', ({ peerId }) => manager.removePeer(peerId))
  await Promise.all(servers.map(({ address }) => network.dial(address)))
  return { ledger, manager, done, penalised }
}

/** A server's ports with one block put in place of another. */
class LyingPorts extends ChainPorts {
  override async *readBlocks(start: number, count: number, maxBytes: number): AsyncGenerator<Uint8Array> {
    let height = start
    for await (const block of super.readBlocks(start, count, maxBytes)) {
      // The last byte is of a commit's signature.
      yield height++ % 4 === 3 ? block.with(block.length - 1, (block.at(-1) as number) ^ 1) : block
    }
  }
}

/** A server's ports that stop for ever in the middle of an answer. */
class HangingPorts extends ChainPorts {
  override async *readBlocks(start: number, count: number, maxBytes: number): AsyncGenerator<Uint8Array> {
    for await (const block of super.readBlocks(start, count, maxBytes)) {
      yield block
      if (this.read > 10) await new Promise(() => {})
    }
  }
}

describe('range sync over libp2p', () => {
  it('downloads from all peers at once', async () => {
    const servers = await Promise.all([1, 2, 3].map((seed) => server(seed)))
    const { ledger, done, penalised } = await client(servers)
    expect(await done).toMatchObject({ from: 0, to: BLOCKS, peersUsed: 3 })
    expect(toHex(ledger.tip.hash)).toBe(toHex(chain.maker.head.tip.hash))
    expect(servers.every(({ ports }) => ports.read > 0)).toBe(true)
    expect(penalised.size).toBe(0)
  })

  it('does without a peer that lies, one that hangs and one that goes away', async () => {
    const good = await server(1)
    const liar = await server(2, new LyingPorts(BLOCKS, chain))
    const hanging = await server(3, new HangingPorts(BLOCKS, chain))
    const leaving = await server(4)
    const { ledger, manager, done, penalised } = await client([good, liar, hanging, leaving])
    await new Promise<void>((resolve) => ledger.on('finalized', () => resolve()))
    await leaving.network.stop()
    expect((await done).to).toBe(BLOCKS)
    expect(toHex(ledger.tip.hash)).toBe(toHex(chain.maker.head.tip.hash))
    expect([...penalised]).toEqual([[liar.network.peerId, 'COMMIT_BAD_SIGNATURE']])
    expect(manager.state()).toMatchObject({ strategy: 'gossip', heldBytes: 0 })
  })
})
