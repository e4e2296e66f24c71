import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Genesis } from '../../chain/genesis.ts'
import { equalBytes, toHex } from '../../codec/bytes.ts'
import { hasCode, MolochError } from '../../error.ts'
import { silentLog } from '../../log.ts'
import { copyRows } from '../../store/copy-rows.ts'
import { Database } from '../../store/database.ts'
import { corrupt, isDamageOf } from '../../store/errors.ts'
import { rangeOf, TABLE } from '../../store/keys.ts'
import { MetaStore } from '../../store/meta-store.ts'
import { MmrStore } from '../../store/mmr-store.ts'
import { openParts } from '../open.ts'
import { storesOf } from '../stores.ts'
import { carryBlocks } from './carry-blocks.ts'
import { moveFolder, syncFolder } from './move-folder.ts'

/*
 * How an imported database takes the place of the one that is there. Each step is one rename, and what there is tells
 * which was the last, so that a crash anywhere leaves the old database or the whole new one:
 *
 *     chain.staged            being made: not whole, removed
 *     chain.new               whole; rows of chain are copied into it, again after a crash
 *     chain → chain.old       while there is chain.new too: undone, for chain.old is the chain, whatever is in its place
 *     chain.new → chain       chain.old removed
 */

/** Rows that are of this node and not of the chain: what it accepted, and what it saw. */
const OWN_TABLES = [TABLE.MEMPOOL, TABLE.EXPIRED, TABLE.PASSED, TABLE.EVIDENCE] as const
/** How often it says how far the blocks are. */
const REPORT_MS = 10_000

/** @param path of the database, `HOME/data/chain` */
export function stagedFolder(path: string): string {
  return `${path}.staged`
}

export function newFolder(path: string): string {
  return `${path}.new`
}

function oldFolder(path: string): string {
  return `${path}.old`
}

/** The staged database is whole. Its files are on disk: LevelDB synced them. */
export async function commitImport(path: string): Promise<void> {
  await syncFolder(stagedFolder(path))
  await undoSwitch(path)
  await rm(newFolder(path), { recursive: true, force: true })
  await moveFolder(stagedFolder(path), newFolder(path))
}

/**
 * Ends what a crash left of a switch: as if it had not begun, or as if it had come to its end. So `chain.new` is only made,
 * and removed, when there is no `chain.old`.
 */
export async function undoSwitch(path: string): Promise<void> {
  const old = oldFolder(path)
  if (!existsSync(old)) return
  if (existsSync(path) && !existsSync(newFolder(path))) return rm(old, { recursive: true, force: true })
  await rm(path, { recursive: true, force: true })
  await moveFolder(old, path)
}

export type Switched =
  | { readonly switched: true; readonly height: number }
  /** There was nothing to put there, or the chain that is there is as high: it stays. */
  | { readonly switched: false }

export interface SwitchOptions {
  /** Hears what is worth a line in the log. */
  readonly report?: ((line: string) => void) | undefined
  /** Ends it while blocks are carried over; the next time it goes on from there. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Puts an imported database in the place of the one at `path`, which nobody has open, and takes over from that what is
 * this node's own, and its blocks; or carries on where a crash stopped it. To be called before the database is opened: it
 * also removes what a killed import left.
 * @throws MolochError CONFLICTING_FINALITY if the chain that is there is another one than the imported, which is removed; a
 * StoreErrorCode: STORE_CORRUPT with the path of the imported one if that is damaged, which is removed too,
 * STORE_OTHER_CHAIN if either is of another genesis; the signal's reason
 */
export async function switchDatabase(path: string, genesis: Genesis, options: SwitchOptions = {}): Promise<Switched> {
  await rm(stagedFolder(path), { recursive: true, force: true })
  // What is to be taken over is looked at again.
  await undoSwitch(path)
  if (!existsSync(newFolder(path))) return { switched: false }
  // A folder that never became a database has nothing of ours.
  const from = existsSync(join(path, 'CURRENT')) ? await openDatabase(path, genesis) : undefined
  try {
    const height = await prepare(from, path, genesis, options)
    if (height === undefined) {
      await rm(newFolder(path), { recursive: true, force: true })
      return { switched: false }
    }
    await from?.close()
    await assertOpens(newFolder(path), genesis)
    if (existsSync(path)) await moveFolder(path, oldFolder(path))
    await moveFolder(newFolder(path), path)
    await rm(oldFolder(path), { recursive: true, force: true })
    return { switched: true, height }
  } catch (error) {
    // It is told of once: it must not keep the node from the chain that is here for ever.
    const isDamaged = isDamageOf(newFolder(path), error)
    if (isDamaged || hasCode(error, 'CONFLICTING_FINALITY')) await rm(newFolder(path), { recursive: true, force: true })
    throw error
  } finally {
    await from?.close()
  }
}

/**
 * A ledger opens with the database, which a disk may have damaged since it was made: the one that it takes the place of
 * is removed. @throws MolochError STORE_CORRUPT
 */
async function assertOpens(path: string, genesis: Genesis): Promise<void> {
  const { stores } = await openParts({ path, genesis, log: silentLog, create: false })
  await stores.database.close()
}

function openDatabase(path: string, genesis: Genesis): Promise<Database> {
  return Database.open(path, { genesisHash: genesis.hash, create: false })
}

/**
 * Copies what is to be taken over into the new database.
 * @param from undefined: there is nothing
 * @returns the new database's height; undefined: it is of no use, as it is not higher than what is there
 */
async function prepare(
  from: Database | undefined,
  path: string,
  genesis: Genesis,
  options: SwitchOptions
): Promise<number | undefined> {
  const to = await openDatabase(newFolder(path), genesis)
  try {
    const theirs = await new MetaStore(to).tip()
    if (theirs === undefined) throw corrupt(newFolder(path), 'it has no tip')
    if (from !== undefined && !(await takeOver(from, to, genesis, options))) return undefined
    return theirs.height
  } finally {
    await to.close()
  }
}

/** @returns whether the new chain is higher than the old; its blocks and this node's own rows are in the new one then */
async function takeOver(from: Database, to: Database, genesis: Genesis, options: SwitchOptions): Promise<boolean> {
  const ours = await new MetaStore(from).tip()
  const theirs = (await new MetaStore(to).tip())?.height ?? 0
  if (ours !== undefined && ours.height >= theirs) return false
  if (ours !== undefined && ours.height > 0) {
    const hash = await new MmrStore(to).blockHash(ours.height)
    if (hash === undefined || !equalBytes(hash, ours.hash)) throw otherChain(ours, hash, theirs, from.path)
  }
  for (const table of OWN_TABLES) await copyRows(from.rows({ ...rangeOf(table), fillCache: false }), to)
  await carry(from, to, genesis, options)
  return true
}

async function carry(from: Database, to: Database, genesis: Genesis, { report, signal }: SwitchOptions): Promise<void> {
  let reported = performance.now()
  const onProgress = (done: number, total: number): void => {
    if (performance.now() - reported < REPORT_MS) return
    reported = performance.now()
    report?.(`${done} of ${total} blocks of the chain that was here are carried over`)
  }
  const { blocks, damage } = await carryBlocks(storesOf(from), storesOf(to), { genesis, signal, onProgress })
  if (blocks > 0) report?.(`${blocks} blocks of the chain that was here are carried over`)
  if (damage !== undefined)
    report?.(`other blocks of the chain that was here can't be read, and are fetched again: ${damage}`)
}

function otherChain(
  ours: { readonly height: number; readonly hash: Uint8Array },
  hash: Uint8Array | undefined,
  height: number,
  path: string
): MolochError<'CONFLICTING_FINALITY'> {
  const message =
    `the snapshot of block ${height} is of another chain than the one that is here: its block ${ours.height} is ` +
    `${hash === undefined ? 'missing' : toHex(hash)}, ours is ${toHex(ours.hash)}; both are certified, so the validators' ` +
    `keys were abused, or the checkpoint is wrong: the chain that is here stays; remove ${path} to begin at the snapshot`
  return new MolochError('CONFLICTING_FINALITY', message, { height: ours.height })
}
