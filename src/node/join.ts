import type { Driver } from '../consensus/driver.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Network, PeerView } from '../network/types.ts'
import type { SyncManager } from '../sync/manager.ts'
import type { Expiry } from './expiry.ts'
import type { FaultBoard } from './faults.ts'
import { handOver } from './hand-over.ts'
import type { EventIngress } from './ingress.ts'
import type { Outbox } from './outbox.ts'
import type { RestoredEvents } from './restored.ts'

export interface Joined {
  readonly ledger: Ledger
  readonly network: Network
  readonly driver: Driver
  readonly sync: SyncManager
  readonly ingress: EventIngress
  readonly outbox: Outbox
  readonly restored: RestoredEvents
  readonly faults: FaultBoard
  readonly expiry: Expiry
}

/**
 * Who hears what from whom.
 * @returns meets the peers that are connected already, once consensus has started
 */
export function join({ ledger, network, driver, sync, ingress, outbox, restored, faults, expiry }: Joined): () => void {
  network.subscribe('events', ingress.topic)
  const ready = ({ peerId, source }: PeerView): void => {
    // An observer keeps no chain: there is nothing to ask it for.
    if (source) driver.peerReady(peerId)
    outbox.peerReady()
  }
  network.sessions.on('ready', ready)
  const source = (peer: PeerView): void => {
    if (peer.source) sync.setPeer({ id: peer.peerId, height: peer.height, earliest: peer.earliestHeight })
  }
  network.sessions.on('update', source)
  network.sessions.on('closed', ({ peerId }) => sync.removePeer(peerId))

  ledger.on('finalized', ({ block }) => {
    network.headChanged()
    expiry.finalized(block.header.timestamp)
    restored.place()
  })
  ledger.on('conflict', ({ description }) => faults.raiseHalt('CONFLICTING_FINALITY', description))
  if (ledger.conflict !== undefined) faults.raiseHalt('CONFLICTING_FINALITY', ledger.conflict.description)

  driver.on('behind', ({ height, peer }) => {
    network.peerHas(peer, height)
    sync.certified(height)
  })
  driver.on('halted', (error) => faults.raiseHalt('CONSENSUS_HALTED', error.message))
  driver.on('signer-stopped', (error) => faults.raise(error.code, error.message))

  ledger.on('window', () => driver.maySignNow())

  handOver(sync, driver)
  sync.on('penalise', (peer, { code, message }) => network.penalise(peer, code, message))
  network.on('unbanned', (peer) => sync.pardon(peer))
  // Whatever was missed on the way here: nobody who is connected and holds what is wanted goes unasked.
  sync.on('stalled', () => {
    for (const peer of network.sessions.list()) source(peer)
  })

  return () => {
    network.headChanged()
    for (const peer of network.sessions.list()) {
      if (peer.statusAt === 0) continue
      ready(peer)
      source(peer)
    }
  }
}
