import { type CheckedHeader, checkHeader } from '../chain/check-header.ts'
import type { Genesis } from '../chain/genesis.ts'
import { HeaderChain, headerChainAt } from '../chain/header-chain.ts'
import { equalBytes } from '../codec/bytes.ts'
import { CONFLICT, type Conflict, conflictError, conflictOf } from '../ledger/conflict.ts'
import type { Log } from '../log.ts'
import { type BeforeWrite, Database } from '../store/database.ts'
import { corrupt } from '../store/errors.ts'
import { EvidenceStore } from '../store/evidence-store.ts'
import { HeaderLog } from './header-log.ts'
import { HeaderStore, type StoredState } from './header-store.ts'

export interface LightChainOptions {
  /** Folder of the database, `HOME/data/chain`. */
  readonly path: string
  readonly genesis: Genesis
  readonly log: Log
  /** Make the database if there is none; default true. */
  readonly create?: boolean
  /** Headers kept up to the tip; 0 (the default): all. */
  readonly keepHeaders?: number
  /** For tests of faults and slow disks. */
  readonly beforeWrite?: BeforeWrite
}

/** What a light node's chain is put together from. */
export interface LightParts {
  readonly database: Database
  readonly log: HeaderLog
  readonly evidence: EvidenceStore
  readonly chain: HeaderChain
  readonly conflict: Conflict | undefined
}

/**
 * Opens the database and restores from it all that a light node's chain has in memory.
 * @throws MolochError with a StoreErrorCode
 */
export async function openLight(options: LightChainOptions): Promise<LightParts> {
  const { path, genesis, log, create = true, keepHeaders = 0, beforeWrite } = options
  const database = await Database.open(path, { genesisHash: genesis.hash, create, contents: 'headers', beforeWrite })
  try {
    const store = new HeaderStore(database)
    const evidence = new EvidenceStore(database)
    const state = await readState(store, path)
    const chain = state === undefined ? HeaderChain.atGenesis(genesis) : await restoreTip(genesis, store, state, path)
    await evidence.load()
    const record = await evidence.find(CONFLICT)
    const conflict = record && conflictOf(genesis, record)
    if (conflict !== undefined) log.error({ height: conflict.height }, conflictError(conflict).message)
    return { database, log: new HeaderLog(database, store, keepHeaders, state), evidence, chain, conflict }
  } catch (error) {
    await database.close()
    throw error
  }
}

async function readState(store: HeaderStore, path: string): Promise<StoredState | undefined> {
  try {
    return await store.state()
  } catch (error) {
    // A row that is too short for what it holds.
    if (error instanceof RangeError) throw corrupt(path, 'the rows that say how far the headers go', error)
    throw error
  }
}

/**
 * The trusted tip as the database has it, checked anew: its certificate, its hash, and the range before it against the
 * roots on both sides of it.
 */
async function restoreTip(
  genesis: Genesis,
  store: HeaderStore,
  { tip, peaks, held }: StoredState,
  path: string
): Promise<HeaderChain> {
  const header = checkedRow(genesis, await store.get(tip.height), tip.height, path)
  if (!equalBytes(header.hash, tip.hash)) throw corrupt(path, `header ${tip.height} is not the tip's`)
  const chain = headerChainAt(genesis, header, peaks)
  if ('code' in chain) throw corrupt(path, `header ${tip.height}, the tip: ${chain.message}`)
  if (held.at(-1)?.to !== tip.height) throw corrupt(path, `the heights held do not end with the tip, ${tip.height}`)
  return chain
}

function checkedRow(genesis: Genesis, row: Uint8Array | undefined, height: number, path: string): CheckedHeader {
  if (row === undefined) throw corrupt(path, `header ${height}, the tip, is missing`)
  const result = checkHeader(genesis, row)
  const failure = result.ok ? result.header.deferred : result.failure
  if (!result.ok || failure !== undefined) throw corrupt(path, `header ${height}, the tip: ${failure?.message}`)
  return result.header
}
