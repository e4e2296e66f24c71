import { existsSync } from 'node:fs'
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Genesis } from '../../src/chain/genesis.ts'
import { homePaths } from '../../src/node/home.ts'
import { Database } from '../../src/store/database.ts'
import { HeightRanges } from '../../src/store/height-ranges.ts'
import { MetaStore } from '../../src/store/meta-store.ts'
import { contentHash, writeState } from '../support/warped.ts'

/** How far a node had come: what there is on its disk says it. */
export type Phase =
  | 'search'
  | 'download'
  | 'import'
  | 'switch'
  | 'range sync'
  | 'backfill'
  | 'certify'
  | 'check'
  | 'done'

/** What a node has on disk and must never fetch again. */
export interface Stored {
  readonly phase: Phase
  readonly hasChunk: (chunk: number) => boolean
  readonly blocks: HeightRanges
}

/** What is in the home of a node that was killed; nothing in it is changed. */
export async function storedIn(home: string, genesis: Genesis, tip: number): Promise<Stored> {
  const { chain, warp } = homePaths(home)
  const none = new HeightRanges()
  if (existsSync(`${chain}.new`)) return { phase: 'switch', hasChunk: () => true, blocks: none }
  if (existsSync(join(chain, 'CURRENT'))) return inDatabase(chain, genesis, tip, existsSync(warp))
  if (!existsSync(join(warp, 'manifest'))) return { phase: 'search', hasChunk: () => false, blocks: none }
  const bits = await readFile(join(warp, 'stored'))
  const hasChunk = (chunk: number): boolean => ((bits[chunk >>> 3] ?? 0) & (1 << (chunk & 7))) !== 0
  const phase = existsSync(`${chain}.staged`) ? 'import' : 'download'
  return { phase, hasChunk, blocks: none }
}

async function inDatabase(chain: string, genesis: Genesis, tip: number, switching: boolean): Promise<Stored> {
  return copied(chain, genesis, async (database) => {
    const meta = new MetaStore(database)
    const [height, earliest, history] = [(await meta.tip())?.height ?? 0, await meta.earliest(), await meta.history()]
    const blocks = new HeightRanges(history?.held)
    blocks.add(earliest, height)
    const phase = (): Phase => {
      if (switching) return 'switch'
      if (height < tip) return 'range sync'
      if (blocks.missing(1, tip).length > 0) return 'backfill'
      if (earliest > 1) return 'certify'
      return history === undefined ? 'done' : 'check'
    }
    return { phase: phase(), hasChunk: () => true, blocks }
  })
}

/** Hash of all that follows from the chain, once the state, which is written now and then, is written up to the tip. */
export async function settledHash(home: string, genesis: Genesis): Promise<string> {
  const { chain } = homePaths(home)
  await writeState(chain, genesis)
  return contentHash(chain, genesis)
}

/** Opens a copy: to open a database is to repair it. */
async function copied<Result>(path: string, genesis: Genesis, read: (database: Database) => Promise<Result>) {
  const folder = await mkdtemp(join(tmpdir(), 'moloch-e2e-copy-'))
  try {
    const copy = join(folder, 'chain')
    await cp(path, copy, { recursive: true })
    const database = await Database.open(copy, { genesisHash: genesis.hash, create: false })
    try {
      return await read(database)
    } finally {
      await database.close()
    }
  } finally {
    await rm(folder, { recursive: true })
  }
}
