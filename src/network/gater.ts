import type { ConnectionGater, MultiaddrConnection, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { ipOf } from './addresses.ts'
import type { Sockets } from './sockets.ts'

/** Connections of one host beside those that may be sessions: a validator may share its address with a crowd. */
const ROOM_PER_HOST = 8

export interface GaterOptions {
  readonly self: string
  readonly maxPerIp: number
  readonly sockets: Sockets
  /** Remote addresses of the connections there are. */
  readonly connected: () => Iterable<Multiaddr>
  /** Whether the peer is held out. */
  readonly isHeld: (peerId: string) => boolean
  /** Whether this node itself has chosen to dial the address. */
  readonly isChosen: (address: Multiaddr) => boolean
}

/**
 * Who may connect and what may be dialled, as libp2p asks it: no peer that is held out, not too many from one address, and
 * only addresses that we chose.
 */
export function gaterOf(options: GaterOptions): ConnectionGater {
  const isHeld = (peerId: PeerId): boolean => options.isHeld(peerId.toString())
  return {
    denyDialPeer: isHeld,
    denyDialMultiaddr: (address) => !options.isChosen(address),
    denyOutboundEncryptedConnection: isHeld,
    denyInboundEncryptedConnection: isHeld,
    denyInboundConnection: (connection: MultiaddrConnection) =>
      isCrowded(connection.remoteAddr, options) || !options.sockets.enter(connection),
    denyInboundUpgradedConnection: (_, connection) => {
      options.sockets.leave(connection)
      return false
    },
    // Where others are is in our own address book (known-peers.ts): what libp2p's has, others have written.
    filterMultiaddrForPeer: (peerId) => peerId.toString() === options.self
  }
}

function isCrowded(from: Multiaddr, { connected, maxPerIp }: GaterOptions): boolean {
  const ip = ipOf(from)
  let count = 0
  for (const address of connected()) if (ip !== undefined && ipOf(address) === ip) count += 1
  return count >= maxPerIp + ROOM_PER_HOST
}
