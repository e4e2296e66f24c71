import type { Connection, PeerId } from '@libp2p/interface'
import { networksOf, parseAddress } from './addresses.ts'
import type { ClockReading } from './clock-reading.ts'
import { NEW_SESSION, type Session } from './session.ts'
import type { Head, NodeMode, PeerView } from './types.ts'

/** What is held of one peer from its first connection (or our dialling it) to its last. Only sessions.ts writes it. */
export interface Peer {
  readonly id: string
  readonly peerId: PeerId | undefined
  readonly connections: Set<Connection>
  /** Those of them on which a Hello or an Ack has passed, with the instance that it told of; '': it told of none. */
  readonly greeted: Map<Connection, string>
  readonly timers: {
    handshake?: NodeJS.Timeout
    hello?: NodeJS.Timeout
    status?: NodeJS.Timeout
    push?: NodeJS.Timeout
  }
  session: Session
  /** Of its address (addresses.ts). */
  networks: readonly string[]
  address: string
  direction: 'inbound' | 'outbound'
  connectedAt: number
  mode: NodeMode | undefined
  chainKey: string | undefined
  userAgent: string | undefined
  height: number
  claimedHeight: number
  headHash: Uint8Array | undefined
  earliestHeight: number
  syncing: boolean
  peerCount: number
  /** Wall clock, to be shown; 0 before the first. */
  statusAt: number
  /** Monotonic ms of its last Status, or of its connection: liveness is no matter of a clock that is set. */
  heardAt: number
  clock: ClockReading | undefined
  /** What it has heard from us. */
  told: Pick<Head, 'height' | 'earliestHeight'>
  /** Monotonic ms of the last Status that we sent unasked. */
  pushedAt: number
  /** Whether what `timers.push` is to tell can wait: a new tip takes its place. */
  pushCanWait: boolean
  exchanging: boolean
  ready: boolean
  /** It has lost its place, and is told so. */
  leaving: boolean
  /** Its goodbye, for the reason of closing. */
  farewell: string | undefined
  /** Where it says that it listens, as far as that is worth anything. */
  claimed: readonly string[]
}

function networksAt(address: string): string[] {
  try {
    return networksOf(parseAddress(address))
  } catch {
    return [address, address, address]
  }
}

/** What others make of a peer. */
export type Standing = Pick<PeerView, 'score' | 'points' | 'fault' | 'gossip'>

export function newPeer(id: string, peerId: PeerId | undefined, address: string, direction: Peer['direction']): Peer {
  return {
    id,
    peerId,
    connections: new Set(),
    greeted: new Map(),
    timers: {},
    session: NEW_SESSION,
    networks: networksAt(address),
    address,
    direction,
    connectedAt: Date.now(),
    mode: undefined,
    chainKey: undefined,
    userAgent: undefined,
    height: 0,
    claimedHeight: 0,
    headHash: undefined,
    earliestHeight: 0,
    syncing: false,
    peerCount: 0,
    statusAt: 0,
    heardAt: performance.now(),
    clock: undefined,
    told: { height: -1, earliestHeight: 0 },
    pushedAt: 0,
    pushCanWait: false,
    exchanging: false,
    ready: false,
    leaving: false,
    farewell: undefined,
    claimed: []
  }
}

export function viewOf(peer: Peer, standing: Standing): PeerView {
  const { session } = peer
  const open = session.state !== 'CONNECTING' && session.state !== 'HANDSHAKING'
  return {
    peerId: peer.id,
    address: peer.address,
    direction: peer.direction,
    state: session.state,
    height: peer.height,
    claimedHeight: peer.claimedHeight,
    headHash: peer.headHash,
    earliestHeight: peer.earliestHeight,
    mode: peer.mode,
    source: open && session.state !== 'CLOSED' && (peer.mode === 'FULL' || peer.mode === 'WARP'),
    chainKey: peer.chainKey,
    userAgent: peer.userAgent,
    syncing: peer.syncing,
    peerCount: peer.peerCount,
    ...standing,
    connectedAt: peer.connectedAt,
    statusAt: peer.statusAt,
    clock: peer.clock,
    reason: session.state === 'CLOSED' ? session.reason : undefined
  }
}

export function clearTimers(peer: Peer): void {
  for (const timer of Object.values(peer.timers)) clearTimeout(timer)
}

/**
 * The newest connection that is open: an older one may be to a process that is gone. Of one on which no Hello has passed it
 * is not known yet whether it is of the same process (instances.ts).
 */
export function openConnection(peer: Peer): Connection | undefined {
  const open = [...peer.connections].filter(({ status }) => status === 'open')
  return open.findLast((one) => peer.greeted.has(one)) ?? open.at(-1)
}
