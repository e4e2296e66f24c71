import { existsSync } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Genesis } from '../chain/genesis.ts'
import { equalBytes, toHex } from '../codec/bytes.ts'
import { hasCode, MolochError } from '../error.ts'
import { Database } from '../store/database.ts'
import { corrupt } from '../store/errors.ts'
import { rangeOf, TABLE } from '../store/keys.ts'
import { MetaStore } from '../store/meta-store.ts'
import { MmrStore } from '../store/mmr-store.ts'

/*
 * How an imported database takes the place of the one that is there. Each step is one rename, and what there is tells
 * which was the last, so that a crash anywhere leaves the old database or the whole new one:
 *
 *     chain.staged            being made: not whole, removed
 *     chain.new               whole; from here on the switch is only carried on
 *     chain → chain.old       chain.new → chain       chain.old removed
 */

/** Rows that are of this node and not of the chain: what it accepted, and what it saw. */
const OWN_TABLES = [TABLE.MEMPOOL, TABLE.EXPIRED, TABLE.EVIDENCE] as const
const COPY_BYTES = 1 << 20

/** @param path of the database, `HOME/data/chain` */
export function stagedFolder(path: string): string {
  return `${path}.staged`
}

export function newFolder(path: string): string {
  return `${path}.new`
}

export function oldFolder(path: string): string {
  return `${path}.old`
}

/** The staged database is whole. Its files are on disk: LevelDB synced them. */
export async function commitImport(path: string): Promise<void> {
  await syncFolder(stagedFolder(path))
  await rm(newFolder(path), { recursive: true, force: true })
  await move(stagedFolder(path), newFolder(path))
}

export type Switched =
  | { readonly switched: true; readonly height: number }
  /** There was nothing to put there, or the chain that is there is as high: it stays. */
  | { readonly switched: false }

/**
 * Puts an imported database in the place of the one at `path`, which nobody has open, and takes over from that what is
 * this node's own; or carries on where a crash stopped it. To be called before the database is opened: it also removes
 * what a killed import left.
 * @throws MolochError CONFLICTING_FINALITY if the chain that is there is another one than the imported, which is removed; a
 * StoreErrorCode
 */
export async function switchDatabase(path: string, genesis: Genesis): Promise<Switched> {
  await rm(stagedFolder(path), { recursive: true, force: true })
  if (!existsSync(newFolder(path))) {
    if (existsSync(path)) await rm(oldFolder(path), { recursive: true, force: true })
    return { switched: false }
  }
  if (existsSync(path)) {
    if (!(await isToTakeOver(path, genesis))) {
      await rm(newFolder(path), { recursive: true, force: true })
      return { switched: false }
    }
    await rm(oldFolder(path), { recursive: true, force: true })
    await move(path, oldFolder(path))
  }
  const height = await heightOf(newFolder(path), genesis)
  await move(newFolder(path), path)
  await rm(oldFolder(path), { recursive: true, force: true })
  return { switched: true, height }
}

/** An import that contradicts the chain that is here is told of once: it must not keep the node from that chain for ever. */
async function isToTakeOver(path: string, genesis: Genesis): Promise<boolean> {
  try {
    return await takeOver(path, genesis)
  } catch (error) {
    if (hasCode(error, 'CONFLICTING_FINALITY')) await rm(newFolder(path), { recursive: true, force: true })
    throw error
  }
}

/** @returns whether the new chain is higher than the old; its own rows are in the new one then */
async function takeOver(path: string, genesis: Genesis): Promise<boolean> {
  // A folder that never became a database has nothing of ours.
  if (!existsSync(join(path, 'CURRENT'))) return true
  const options = { genesisHash: genesis.hash, create: false }
  const from = await Database.open(path, options)
  try {
    const to = await Database.open(newFolder(path), options)
    try {
      const ours = await new MetaStore(from).tip()
      const theirs = await new MetaStore(to).tip()
      if (theirs === undefined) throw corrupt(newFolder(path), 'it has no tip')
      if (ours !== undefined && ours.height >= theirs.height) return false
      if (ours !== undefined && ours.height > 0) {
        const hash = await new MmrStore(to).blockHash(ours.height)
        if (hash === undefined || !equalBytes(hash, ours.hash)) throw otherChain(ours, hash, theirs.height)
      }
      for (const table of OWN_TABLES) await copyTable(from, to, table)
      return true
    } finally {
      await to.close()
    }
  } finally {
    await from.close()
  }
}

function otherChain(
  ours: { readonly height: number; readonly hash: Uint8Array },
  hash: Uint8Array | undefined,
  height: number
): MolochError<'CONFLICTING_FINALITY'> {
  const message =
    `the snapshot of block ${height} is of another chain than the one that is here: its block ${ours.height} is ` +
    `${hash === undefined ? 'missing' : toHex(hash)}, ours is ${toHex(ours.hash)}; both are certified, so the validators' ` +
    'keys were abused, or the checkpoint is wrong'
  return new MolochError('CONFLICTING_FINALITY', message, { height: ours.height })
}

async function copyTable(from: Database, to: Database, table: (typeof OWN_TABLES)[number]): Promise<void> {
  let batch = to.batch()
  for await (const [key, value] of from.rows({ ...rangeOf(table), fillCache: false })) {
    batch.put(key, value)
    if (batch.bytes < COPY_BYTES) continue
    await to.write(batch)
    batch = to.batch()
  }
  await (batch.operations > 0 ? to.write(batch) : batch.discard())
}

/** Height of the chain in a folder that nobody has open; 0 if there is none. @throws MolochError with a StoreErrorCode */
export async function heightOf(path: string, genesis: Genesis): Promise<number> {
  return (await peekChain(path, genesis, 0)).height
}

/**
 * The height of the chain in a folder that nobody has open (0: there is none), and the hash of one of its blocks.
 * @throws MolochError with a StoreErrorCode
 */
export async function peekChain(
  path: string,
  genesis: Genesis,
  at: number
): Promise<{ readonly height: number; readonly hash: Uint8Array | undefined }> {
  if (!existsSync(join(path, 'CURRENT'))) return { height: 0, hash: undefined }
  const database = await Database.open(path, { genesisHash: genesis.hash, create: false })
  try {
    const height = (await new MetaStore(database).tip())?.height ?? 0
    return { height, hash: at > height ? undefined : await new MmrStore(database).blockHash(at) }
  } finally {
    await database.close()
  }
}

export async function move(from: string, to: string): Promise<void> {
  await rename(from, to)
  await syncFolder(dirname(to))
}

/** A new name is durable once its folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
