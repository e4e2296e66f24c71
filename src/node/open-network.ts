import { createNetwork } from '../network/node.ts'
import type { Network, NetworkPorts, NodeMode } from '../network/types.ts'
import { PeerStore } from '../store/peer-store.ts'
import { networkSettings } from './network-settings.ts'
import type { NodeInput } from './node-input.ts'
import { openTrace } from './trace-log.ts'
import { VERSION } from './version.ts'

/**
 * The network of a node as its config has it, with its address book and its trace; not started.
 * @throws MolochError with a StoreErrorCode, or about the trace's file
 */
export async function openNetwork(
  { config, home, log, closers, tuning }: NodeInput,
  mode: NodeMode,
  ports: NetworkPorts
): Promise<Network> {
  const records = await PeerStore.open(home.paths.peers, log)
  closers.add('the peer store', () => records.close())
  const trace = await openTrace(config, log)
  if (trace !== undefined) closers.add('the gossip trace', () => trace.close())
  const { listen, announce, bootstrap, mdns } = config.p2p
  const network = createNetwork({
    genesis: home.genesis,
    peerKey: home.peerKey,
    chainKey: home.chainKey,
    mode,
    listen,
    announce,
    bootstrap,
    mdns,
    userAgent: `moloch/${VERSION}`,
    records,
    settings: { ...networkSettings(config), ...tuning.network },
    ports,
    ...(tuning.clock && { wallClock: () => tuning.clock?.now() ?? Date.now() }),
    ...(trace && { trace: (event) => trace.record(event) }),
    log
  })
  closers.add('peers', () => network.stop())
  return network
}
