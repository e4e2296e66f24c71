import type { Ledger } from '../ledger/ledger.ts'
import type { Log } from '../log.ts'
import type { Network, PeerView } from '../network/types.ts'
import { Backfill } from '../sync/backfill/backfill.ts'
import type { HistoryChecker } from '../sync/backfill/types.ts'
import type { FaultBoard } from './faults.ts'

export interface BackfillParts {
  readonly ledger: Ledger
  readonly network: Network
  readonly checker: HistoryChecker
  /** Whether range sync runs: what is above the tip comes first. */
  readonly busy: () => boolean
  readonly log: Log
}

/** @returns undefined: this chain has all of its history */
export function openBackfill({ ledger, network, checker, busy, log }: BackfillParts): Backfill | undefined {
  const { genesis, history } = ledger
  if (history.base === undefined) return undefined
  return new Backfill({
    genesis,
    history,
    checker,
    blocks: (peer, range, signal) => network.getBlocks(peer, range, { signal }),
    headers: async function* (peer, range, signal) {
      for await (const { headers } of network.getHeaders(peer, range, { signal })) yield headers
    },
    headerAt: (height) => ledger.headerAt(height),
    busy,
    log
  })
}

/** Who hears what from whom while history is filled in; begins it. */
export function startBackfill(backfill: Backfill, network: Network, faults: FaultBoard): void {
  const source = ({ peerId, source, height, earliestHeight }: PeerView): void => {
    if (source) backfill.setPeer({ id: peerId, height, earliest: earliestHeight })
  }
  network.sessions.on('update', source)
  network.sessions.on('closed', ({ peerId }) => backfill.removePeer(peerId))
  network.on('unbanned', (peer) => backfill.pardon(peer))
  backfill.on('penalise', (peer, { code, message }) => network.penalise(peer, code, message))
  // Peers hear from where on they may ask here.
  backfill.on('moved', () => network.headChanged())
  backfill.on('fault', ({ code, message }) => {
    // The others pass when something is there again: the state shows them.
    if (code === 'LEDGER_FAILED' || code === 'HISTORY_MISMATCH') faults.raise(code, message)
  })
  for (const peer of network.sessions.list()) source(peer)
  backfill.start()
}
