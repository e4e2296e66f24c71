import type { ApiSource, ChainView } from '../api/source.ts'
import type { Genesis } from '../chain/genesis.ts'
import { toHex } from '../codec/bytes.ts'
import type { KeyPair } from '../crypto/ed25519.ts'
import { MolochError } from '../error.ts'
import { ChainHead } from '../ledger/head.ts'
import { stderrLines } from '../lines.ts'
import type { Network } from '../network/types.ts'
import type { WarpState } from '../sync/warp/types.ts'
import { VERSION } from './version.ts'

export interface WarpSourceParts {
  readonly genesis: Genesis
  readonly network: Network
  readonly warp: { state(): WarpState }
  /** Height. */
  readonly checkpoint: number
  readonly role: ApiSource['role']
  readonly chainKey: KeyPair
}

/** A node that warps as the API shows it: its peers, and how far the snapshot is. It has no chain to show yet. */
export function warpSource({ genesis, network, warp, checkpoint, role, chainKey }: WarpSourceParts): ApiSource {
  const startedAt = performance.now()
  return {
    version: VERSION,
    genesis,
    peerId: network.peerId,
    role,
    mode: 'warp',
    chainKey: toHex(chainKey.publicKey),
    uptimeSeconds: () => (performance.now() - startedAt) / 1000,
    chain: chainView(genesis),
    proofs: { prove: async () => notReady(), headerAt: async () => notReady() },
    checkpoint: notReady,
    peers: () => network.sessions.list(),
    peerBook: network,
    topics: () => network.topics(),
    addresses: () => network.addresses(),
    sync: () => syncView(warp.state(), checkpoint),
    outlook: () => undefined,
    pending: () => undefined,
    mempool: () => ({ events: 0, bytes: 0 }),
    log: stderrLines(),
    fault: () => undefined,
    submit: async () => notReady(),
    isPending: () => false,
    onFinalized: () => () => {}
  }
}

function syncView(state: WarpState, checkpoint: number): ReturnType<ApiSource['sync']> {
  const download = state.phase === 'downloading' ? state : undefined
  const targetHeight = 'height' in state ? state.height : checkpoint
  return {
    strategy: 'warp',
    height: 0,
    targetHeight,
    blocksPerSecond: 0,
    bytesPerSecond: download?.bytesPerSecond ?? 0,
    etaSeconds: download?.etaSeconds,
    peers: 'peers' in state ? state.peers : 0,
    heldBytes: 0,
    boundBytes: 0,
    ranges: [],
    stalled: 'stalled' in state ? state.stalled : undefined,
    warp: state
  }
}

function chainView(genesis: Genesis): ChainView {
  const { tip } = ChainHead.atGenesis(genesis)
  return {
    tip,
    eventTotal: 0,
    earliestHeight: 0,
    holdsAll: false,
    sealedHeaderAt: async () => notReady(),
    blockAt: async () => notReady(),
    heightOf: async () => notReady(),
    events: async () => notReady(),
    event: async () => notReady(),
    expiredEvents: async () => notReady(),
    expiredEvent: async () => notReady(),
    passedEvents: async () => notReady(),
    passedEvent: async () => notReady(),
    heightOfEvent: async () => notReady(),
    evidencePage: async () => notReady()
  }
}

function notReady(): never {
  throw new MolochError('NOT_READY', 'this node warps to a snapshot and has no chain yet: see /v1/sync')
}
