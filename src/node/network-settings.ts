import type { NetworkSettings } from '../network/settings.ts'
import type { Config } from './config/schema.ts'

/** The network's numbers that an operator may set; the rest keep the network's defaults. */
export function networkSettings(p2p: Config['p2p']): Partial<NetworkSettings> {
  return {
    maxConnections: p2p.max_peers,
    wantedPeers: p2p.wanted_peers,
    maxPerIp: p2p.max_peers_per_ip,
    maxPendingInbound: p2p.max_pending_inbound,
    inboundPerSecond: p2p.inbound_per_second,
    statusIntervalMs: p2p.status_interval_ms,
    handshakeMs: p2p.hello_timeout_ms,
    ...(p2p.ip_colocation ? {} : { ipColocationWeight: 0 })
  }
}
