/**
 * Who moves the chain on: consensus, or range sync when the node is behind. Consensus steps aside only for a real gap,
 * and comes back when sync can't go on: the only peer that holds the next block may be gone, while those that are left
 * can decide it again, or hand it over as votes are asked for. Both at once are safe: the ledger takes a block once.
 */
export interface SyncSide {
  on(name: 'started', listener: (run: { readonly from: number; readonly target: number }) => void): unknown
  on(name: 'done' | 'stalled' | 'resumed', listener: () => void): unknown
}

export interface ConsensusSide {
  pause(): void
  resume(): void
}

/** A single missing block is no reason to leave the vote. */
const GAP = 2

export function handOver(sync: SyncSide, consensus: ConsensusSide): void {
  sync.on('started', ({ from, target }) => {
    if (target - from >= GAP) consensus.pause()
  })
  sync.on('stalled', () => consensus.resume())
  sync.on('resumed', () => consensus.pause())
  sync.on('done', () => consensus.resume())
}
