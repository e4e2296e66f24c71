import { BlockStore } from '../store/block-store.ts'
import type { Database } from '../store/database.ts'
import { EventIndex } from '../store/event-index.ts'
import { EventRows } from '../store/event-rows.ts'
import { EvidenceStore } from '../store/evidence-store.ts'
import { HeaderRows } from '../store/header-rows.ts'
import { MempoolStore } from '../store/mempool-store.ts'
import { MetaStore } from '../store/meta-store.ts'
import { MmrStore } from '../store/mmr-store.ts'
import { StateStore } from '../store/state-store.ts'

/** The concerns of one database. */
export interface Stores {
  readonly database: Database
  readonly meta: MetaStore
  readonly blocks: BlockStore
  readonly headers: HeaderRows
  readonly mmr: MmrStore
  readonly eventRows: EventRows
  readonly eventIndex: EventIndex
  readonly state: StateStore
  readonly mempool: MempoolStore
  readonly evidence: EvidenceStore
}

/** @param segmentEvents see EventIndex; tests make it small */
export function storesOf(database: Database, segmentEvents?: number): Stores {
  const eventRows = new EventRows(database)
  return {
    database,
    meta: new MetaStore(database),
    blocks: new BlockStore(database),
    headers: new HeaderRows(database),
    mmr: new MmrStore(database),
    eventRows,
    eventIndex: new EventIndex(database, eventRows, segmentEvents),
    state: new StateStore(database),
    mempool: new MempoolStore(database),
    evidence: new EvidenceStore(database)
  }
}
