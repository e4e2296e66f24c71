import type { ConnectionGater, MultiaddrConnection, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { ipOf } from './addresses.ts'

export interface GaterOptions {
  readonly maxPerIp: number
  /** Remote addresses of the connections there are. */
  readonly connected: () => Iterable<Multiaddr>
  /** Whether the peer is held out. */
  readonly isHeld: (peerId: string) => boolean
}

/** Who may connect, as libp2p asks it: no peer that is held out, and not too many from one address. */
export function gaterOf(options: GaterOptions): ConnectionGater {
  const isHeld = (peerId: PeerId): boolean => options.isHeld(peerId.toString())
  return {
    denyDialPeer: isHeld,
    denyOutboundEncryptedConnection: isHeld,
    denyInboundEncryptedConnection: isHeld,
    denyInboundConnection: ({ remoteAddr }: MultiaddrConnection) => isCrowded(remoteAddr, options)
  }
}

function isCrowded(from: Multiaddr, { connected, maxPerIp }: GaterOptions): boolean {
  const ip = ipOf(from)
  let count = 0
  for (const address of connected()) if (ip !== undefined && ipOf(address) === ip) count += 1
  return count >= maxPerIp
}
