import '../../src/polyfill.ts'
import { join } from 'node:path'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { parseGenesis } from '../../src/chain/genesis.ts'
import { genesisBlockHash, genesisHeader } from '../../src/chain/header.ts'
import { leafHash } from '../../src/chain/merkle.ts'
import { keyPairFromSeed } from '../../src/crypto/ed25519.ts'
import { LightChain } from '../../src/light/light-chain.ts'
import { silentLog } from '../../src/log.ts'
import { createNetwork } from '../../src/network/node.ts'
import { DEVNET_SETTINGS } from '../../src/network/settings.ts'
import { frameLimit } from '../../src/network/streams/frames.ts'
import { headerItems } from '../../src/sync/headers.ts'
import { SyncManager } from '../../src/sync/manager.ts'
import type { SyncRun } from '../../src/sync/types.ts'
import { VerifyPool } from '../../src/verify/pool.ts'
import { peakMemory } from './peak-memory.ts'
import { answer } from './processes.ts'

// What a light node syncs headers with, in a process of its own.

export interface LightTask {
  readonly genesisJson: string
  /** Empty; the headers go there. */
  readonly folder: string
  readonly address: string
  /** Of the chain at that address. */
  readonly height: number
  /** Threads that check. */
  readonly workers: number
}

export interface LightFigures {
  /** From the start of the sync to caught up. */
  readonly seconds: number
  /** CPU seconds meanwhile: of all threads, and of the main one. */
  readonly cpuSeconds: number
  readonly mainSeconds: number
  readonly peakRss: number
}

answer({ sync })

async function sync({ genesisJson, folder, address, height, workers }: LightTask): Promise<LightFigures> {
  const genesis = parseGenesis(genesisJson)
  const chain = await LightChain.open({ path: join(folder, 'chain'), genesis, log: silentLog })
  const verify = new VerifyPool({ genesisJson, size: workers })
  const hash = genesisBlockHash(genesis)
  const head = {
    height: 0,
    hash,
    mmrRoot: leafHash(hash),
    header: genesisHeader(genesis),
    commit: undefined,
    earliestHeight: 0,
    syncing: true
  }
  const network = createNetwork({
    genesis,
    peerKey: await generateKeyPair('Ed25519'),
    chainKey: keyPairFromSeed(new Uint8Array(32).fill(9)),
    mode: 'LIGHT',
    listen: [],
    bootstrap: [],
    userAgent: 'benchmark',
    settings: DEVNET_SETTINGS,
    ports: {
      head: () => head,
      readBlocks: async function* () {},
      readVotes: () => Promise.reject(new Error('a light node has no votes'))
    },
    log: silentLog
  })
  const items = headerItems(verify, (peer, range, signal) => network.getHeaders(peer, range, { signal }))
  const manager = new SyncManager(
    { ledger: chain, items, log: silentLog },
    { frameBytes: frameLimit(genesis.params.maxBlockBytes) }
  )
  try {
    // All threads are up, so that their start is not measured.
    await Promise.all(Array.from({ length: 4 * workers }, () => verify.checkHeaders([new Uint8Array(1)])))
    let cpu = process.cpuUsage()
    let main = performance.eventLoopUtilization()
    manager.on('started', () => {
      cpu = process.cpuUsage()
      main = performance.eventLoopUtilization()
    })
    const done = new Promise<SyncRun>((resolve) => {
      manager.on('done', (run) => run.to >= height && resolve(run))
    })
    network.sessions.on('update', (peer) => {
      if (peer.source) manager.setPeer({ id: peer.peerId, height: peer.height, earliest: peer.earliestHeight })
    })
    await network.start()
    await network.dial(address)
    const { seconds } = await done
    const { user, system } = process.cpuUsage(cpu)
    const { active } = performance.eventLoopUtilization(main)
    return { seconds, cpuSeconds: (user + system) / 1e6, mainSeconds: active / 1e3, peakRss: peakMemory() }
  } finally {
    await manager.stop()
    await network.stop()
    await verify.close()
    await chain.close()
  }
}
