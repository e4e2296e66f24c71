import type { ProvenPeer } from '../consensus/ports.ts'
import type { Network } from '../network/types.ts'

/** Peers that have proven their chain key, each with what it says of its clock. */
export function provenPeers({ sessions }: Pick<Network, 'sessions'>): ProvenPeer[] {
  return sessions.list().flatMap(({ chainKey, clock }) => (chainKey === undefined ? [] : [{ chainKey, clock }]))
}
