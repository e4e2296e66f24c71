import type { ConnectionGater, MultiaddrConnection, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Sockets } from './sockets.ts'

export interface GaterOptions {
  readonly self: string
  readonly sockets: Sockets
  /** Whether the peer is held out. */
  readonly isHeld: (peerId: string) => boolean
  /** Whether this node itself has chosen to dial the address. */
  readonly isChosen: (address: Multiaddr) => boolean
}

/**
 * Who may connect and what may be dialled, as libp2p asks it: no peer that is held out, no more that say nothing than there are
 * places for, and only addresses that we chose.
 */
export function gaterOf(options: GaterOptions): ConnectionGater {
  const isHeld = (peerId: PeerId): boolean => options.isHeld(peerId.toString())
  return {
    denyDialPeer: isHeld,
    denyDialMultiaddr: (address) => !options.isChosen(address),
    denyOutboundEncryptedConnection: isHeld,
    denyInboundEncryptedConnection: isHeld,
    // How many one address may have is up to the places behind this door, where it shows who is a validator.
    denyInboundConnection: (connection: MultiaddrConnection) => !options.sockets.enter(connection),
    denyInboundUpgradedConnection: (_, connection) => {
      options.sockets.leave(connection)
      return false
    },
    // Where others are is in our own address book (known-peers.ts): what libp2p's has, others have written.
    filterMultiaddrForPeer: (peerId) => peerId.toString() === options.self
  }
}
