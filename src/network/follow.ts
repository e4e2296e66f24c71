import type { PeerInfo } from '@libp2p/interface'
import { dialable, localOnly, parseAddress, withPeerId } from './addresses.ts'
import type { Host } from './libp2p.ts'
import type { Parts } from './parts.ts'
import type { Peer } from './peer.ts'
import { type Holder, useOf, whoLeaves } from './places.ts'
import { isOpen } from './session.ts'
import { words } from './streams/refusal.ts'

const DETERMINED: ReadonlySet<string> = new Set(['SYNCING', 'SYNCED', 'PROVIDING'])

/** What follows from a session's steps: gossip, the first Status, the dialler, the address book. */
export function followSessions(parts: Parts): void {
  const { sessions, gossip, dialer, known, status, settings, admit, ownKey } = parts
  const waiting = new WeakSet<Peer>()
  sessions.on('greeted', (_, connection) => {
    admit(connection)
    gossip.admit(connection)
  })
  sessions.on('opened', (peer) => {
    if (!makeRoom(parts, peer)) return
    dialer.reached(peer.id)
    ownKey.takenBy(peer.id)
    remember(parts, peer)
    status.start(peer)
  })
  sessions.on('update', (view) => {
    const peer = sessions.find(view.peerId)
    if (peer === undefined || waiting.has(peer) || !DETERMINED.has(view.state)) return
    waiting.add(peer)
    // Published before its subscriptions are known, a message would not reach it.
    void gossip.whenSubscriber(peer.id, settings.subscriptionMs).then(() => sessions.becameReady(peer))
  })
  sessions.on('closed', (view) => {
    known.stillThere(view.peerId)
    gossip.forget(view.peerId)
    dialer.lost(view.peerId)
  })
  sessions.on('refused', (peer) => dialer.holdOff(peer.id))
  sessions.on('unanswered', (peer, reason) => dialer.unanswered(peer.id, reason))
}

/** What follows from libp2p's events. */
export function followHost(host: Host, parts: Parts): void {
  const { sessions, handshake } = parts
  host.addEventListener('connection:open', ({ detail: connection }) => {
    const peer = sessions.connected(connection)
    if (peer.session.state !== 'CLOSED') void handshake.run(peer, connection)
  })
  host.addEventListener('connection:close', ({ detail }) => sessions.disconnected(detail))
  host.addEventListener('peer:identify', ({ detail: { peerId, agentVersion, listenAddrs, connection } }) => {
    const peer = sessions.find(peerId.toString())
    if (peer === undefined) return
    if (agentVersion !== undefined) peer.userAgent = words(agentVersion)
    peer.claimed = dialable(listenAddrs, connection.remoteAddr, peer.id)
    if (isOpen(peer.session)) remember(parts, peer)
  })
}

/** mDNS found a peer. Anybody on the local network may have said so: whether it is there is tried, and no more. */
export function found({ dialer }: Parts, { id, multiaddrs }: PeerInfo): void {
  const peerId = id.toString()
  for (const address of localOnly(multiaddrs, peerId)) dialer.add(address, { peerId, quiet: true })
}

/** @returns whether there is a place for the session, if need be in place of another */
function makeRoom({ sessions, gossip, settings, rankOf, disconnect, log }: Parts, newcomer: Peer): boolean {
  const holder = (peer: Peer): Holder & { peer: Peer } => ({
    peer,
    networks: peer.networks,
    rank: rankOf(peer),
    use: useOf(gossip.score(peer.id), gossip.countsOf(peer.id)),
    since: peer.connectedAt
  })
  const others = sessions.open().filter((peer) => peer !== newcomer && !peer.leaving)
  const places = { max: settings.maxConnections, perHost: settings.maxPerIp }
  const leaves = whoLeaves(holder(newcomer), others.map(holder), places)?.peer
  if (leaves === undefined) return true
  leaves.leaving = true
  log.debug({ peer: leaves.id, address: leaves.address, for: newcomer.id }, 'no place for the peer')
  disconnect(leaves.id, 'TOO_MANY_PEERS', 'all places are taken')
  return leaves !== newcomer
}

/** Where a peer that passed Hello can be met again. */
function remember({ known }: Parts, peer: Peer): void {
  const dialled = peer.direction === 'outbound' ? [withPeerId(parseAddress(peer.address), peer.id)] : []
  known.met(peer.id, [...dialled, ...peer.claimed], dialled.length > 0)
}
