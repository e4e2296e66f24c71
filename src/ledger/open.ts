import type { Checkpoint } from '../chain/checkpoint.ts'
import { type CheckedEvent, checkEvent } from '../chain/event.ts'
import type { EventWindow } from '../chain/event-window.ts'
import type { Genesis } from '../chain/genesis.ts'
import type { Log } from '../log.ts'
import { type BeforeWrite, Database } from '../store/database.ts'
import type { StoredStateMark } from '../store/meta-store.ts'
import { CONFLICT, type Conflict, conflictError, conflictOf } from './conflict.ts'
import { EventFates } from './event-fates.ts'
import type { ChainHead } from './head.ts'
import { History } from './history.ts'
import type { ScanBounds } from './query.ts'
import { restoreChain, restoreWindow, windowStart } from './restore.ts'
import type { SnapshotSettings } from './snapshot/snapshots.ts'
import type { StateTries } from './state.ts'
import { type Stores, storesOf } from './stores.ts'
import { Turns } from './turns.ts'

export interface LedgerOptions {
  /** Folder of the database, `HOME/data/chain`. */
  readonly path: string
  readonly genesis: Genesis
  readonly log: Log
  /** Make the database if there is none; default true. */
  readonly create?: boolean
  /** A block that somebody trusts: the chain does not go past its height with another one. */
  readonly checkpoint?: Checkpoint | undefined
  /** Default: none are built. */
  readonly snapshots?: SnapshotSettings | undefined
  readonly tuning?: LedgerTuning
}

/** For tests: small numbers reach in ten blocks what takes a day. */
export interface LedgerTuning {
  /** Events that make a segment of the event index. */
  readonly segmentEvents?: number
  /** Work (events and blocks) after which the state is written at a snapshot height. */
  readonly stateWork?: number
  /** Of each page of events. */
  readonly scanBounds?: ScanBounds
  /** Of rows, for each proof of a history. */
  readonly historyReadBytes?: number
  readonly beforeWrite?: BeforeWrite
}

/** What a ledger is put together from. */
export interface LedgerParts {
  readonly genesis: Genesis
  readonly log: Log
  readonly stores: Stores
  readonly head: ChainHead
  readonly state: StateTries
  readonly history: History
  readonly window: EventWindow
  /** Unix ms: `window` has the events of all blocks from then on. */
  readonly windowStart: number
  readonly fates: EventFates
  /** Of whatever writes about the chain's end. */
  readonly turns: Turns
  readonly pending: CheckedEvent[]
  readonly conflict: Conflict | undefined
  readonly stateMark: StoredStateMark
  readonly checkpoint: Checkpoint | undefined
  readonly tuning: LedgerTuning
}

/** Opens the database and restores from it all that a ledger has in memory. */
export async function openParts(options: LedgerOptions): Promise<LedgerParts> {
  const { path, genesis, log, create = true, tuning = {} } = options
  const { beforeWrite } = tuning
  const database = await Database.open(path, { genesisHash: genesis.hash, create, beforeWrite })
  try {
    const stores = storesOf(database, tuning.segmentEvents)
    const { head, state } = await restoreChain(genesis, stores)
    const history = await History.open(stores)
    const window = await restoreWindow(genesis, stores, head.tip, history.earliest)
    const start = await windowStart(stores, history.earliest)
    await stores.evidence.load()
    const pending = await restorePending(genesis, stores, window)
    const turns = new Turns()
    const appliedSince = head.tip.header.timestamp
    const fates = await EventFates.open({ genesis, stores, log, turns, appliedSince, heldSince: start })
    const record = await stores.evidence.find(CONFLICT)
    const conflict = record && conflictOf(genesis, record)
    if (conflict !== undefined) log.error({ height: conflict.height }, conflictError(conflict).message)
    const stateMark = await stores.meta.stateMark()
    const parts = { genesis, log, stores, head, state, history, window, windowStart: start, fates, turns }
    return { ...parts, pending, conflict, stateMark, checkpoint: options.checkpoint, tuning }
  } catch (error) {
    await database.close()
    throw error
  }
}

/**
 * What waited, without what was finalized in the moment it was saved. An event older than the window may be final too, in
 * history that came since. No block takes it any more, and it is looked up when it leaves the mempool, not here: each
 * look-up reads a row of every segment of the event index, and a node with many events would not open for long.
 */
async function restorePending(genesis: Genesis, stores: Stores, window: EventWindow): Promise<CheckedEvent[]> {
  const events = await stores.mempool.load((bytes) => checkEvent(bytes, genesis.params))
  const batch = stores.database.batch()
  const pending: CheckedEvent[] = []
  for (const event of events) {
    if (window.has(event.id)) stores.mempool.remove(batch, event.id)
    else pending.push(event)
  }
  await (batch.operations > 0 ? stores.database.write(batch) : batch.discard())
  return pending
}
