import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { Ledger } from '../../../src/ledger/ledger.ts'
import { importSnapshot } from '../../../src/ledger/snapshot/import-snapshot.ts'
import { type Stores, storesOf } from '../../../src/ledger/stores.ts'
import { silentLog } from '../../../src/log.ts'
import { Database } from '../../../src/store/database.ts'
import { applyAll } from '../../support/chain-builder.ts'
import type { MemoryChain } from '../../support/chain-maker.ts'
import { tempDir } from '../../support/temp-dir.ts'
import type { SnapshotSource } from './snapshot-source.ts'

export const SNAPSHOT = 30
export const OLD_TIP = 20
export const EVENTS = 6
const tuning = { segmentEvents: 20, stateWork: 1 }
export const spec = { eventsPerBlock: EVENTS, actors: 3, resources: 90, params: { snapshotInterval: 5 } }

/** About a batch for each three blocks. */
export const large = { ...spec, eventBytes: 60_000, params: { ...spec.params, maxEventBytes: 65_536 } }

export async function opened(path: string, { genesis }: MemoryChain): Promise<Ledger> {
  const ledger = await Ledger.open({ path, genesis, log: silentLog, tuning })
  onTestFinished(() => ledger.close())
  return ledger
}

/** A database with the first blocks of a chain. */
export async function oldDatabase(chain: MemoryChain, tip = OLD_TIP): Promise<string> {
  const path = join(tempDir(), 'chain')
  const ledger = await opened(path, chain)
  await applyAll(ledger, chain.blocks.slice(0, tip))
  await ledger.close()
  return path
}

export function imported({ chain, snapshots, manifest }: SnapshotSource, path: string): Promise<void> {
  const readChunk = (number: number) => snapshots.readChunk(manifest.height, number)
  return importSnapshot({ genesis: chain.genesis, manifest, readChunk, path })
}

export async function withStores<Result>(path: string, chain: MemoryChain, work: (stores: Stores) => Promise<Result>) {
  const database = await Database.open(path, { genesisHash: chain.genesis.hash, create: false })
  try {
    return await work(storesOf(database))
  } finally {
    await database.close()
  }
}

/** Every event of the chain is found where it is, if its block is held. */
export async function expectFindable(ledger: Ledger, { blocks }: MemoryChain, held: (height: number) => boolean) {
  for (const { height, eventIds } of blocks.slice(0, ledger.tip.height)) {
    for (let index = 0; index < EVENTS; index++) {
      const found = await ledger.event(eventIds.subarray(32 * index, 32 * (index + 1)))
      expect(found?.index, `event ${index} of block ${height}`).toBe(held(height) ? index : undefined)
      if (found !== undefined) expect(found.height).toBe(height)
    }
  }
}

export const folders = (path: string) => readdirSync(dirname(path)).sort()
