import { DEFAULT_SETTINGS, type NetworkSettings } from '../network/settings.ts'
import type { Config } from './config/schema.ts'

/** What an account may be ahead of its rate: seconds of it. */
const BURST_SECONDS = 4

/** The network's numbers that an operator may set; the rest keep the network's defaults. */
export function networkSettings({
  p2p,
  serve,
  trace
}: Pick<Config, 'p2p' | 'serve' | 'trace'>): Partial<NetworkSettings> {
  const { quotas } = DEFAULT_SETTINGS
  return {
    maxConnections: p2p.max_peers,
    wantedPeers: p2p.wanted_peers,
    maxPerIp: p2p.max_peers_per_ip,
    maxPendingInbound: p2p.max_pending_inbound,
    inboundPerSecond: p2p.inbound_per_second,
    statusIntervalMs: p2p.status_interval_ms,
    handshakeMs: p2p.hello_timeout_ms,
    serveAnswers: serve.max_answers,
    serveBytesPerSecond: serve.max_bytes_per_second,
    traceScoresMs: trace.score_interval_ms,
    quotas: {
      ...quotas,
      blocks: {
        ...quotas.blocks,
        blocks: { burst: BURST_SECONDS * serve.peer_blocks_per_second, perSecond: serve.peer_blocks_per_second },
        bytes: { burst: BURST_SECONDS * serve.peer_bytes_per_second, perSecond: serve.peer_bytes_per_second }
      }
    }
  }
}
