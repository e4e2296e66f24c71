import type { Clock } from '../consensus/ports.ts'
import type { LedgerTuning } from '../ledger/ledger.ts'
import type { NetworkSettings } from '../network/settings.ts'
import type { SyncOptions } from '../sync/types.ts'
import type { WarpOptions } from '../sync/warp/types.ts'

/** For tests and benchmarks: numbers that no operator has a reason to change. */
export interface NodeTuning {
  readonly network?: Partial<NetworkSettings>
  readonly sync?: Partial<Omit<SyncOptions, 'frameBytes'>>
  /** In place of `sync.verify_events`. */
  readonly verifyEvents?: boolean
  readonly warp?: Partial<Pick<WarpOptions, 'giveUpMs' | 'gatherMs'>>
  readonly ledger?: LedgerTuning
  /** Between a light node's comparisons of its tip with peers'. */
  readonly crossCheckMs?: number
  /** In place of the system's, for whatever compares times of the chain with it. */
  readonly clock?: Clock
}
