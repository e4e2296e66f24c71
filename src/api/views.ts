import { eventId } from '../chain/event.ts'
import type { Genesis } from '../chain/genesis.ts'
import { toHex } from '../codec/bytes.ts'
import type { Commit } from '../codec/generated/chain.ts'
import { EventBody, SignedEvent } from '../codec/generated/event.ts'
import type { FoundEvent, SealedHeader } from '../ledger/ledger.ts'
import { headerToJson } from '../light/verify/proof-json.ts'
import type { HeldPeer, PeerView, SessionState } from '../network/types.ts'
import { MAX_LISTED, MAX_PEER_TEXT } from './limits.ts'
import type {
  CommitJson,
  EventJson,
  HeldPeerJson,
  PeerJson,
  SealedHeaderJson,
  StatusJson,
  SyncDetailJson
} from './schemas.ts'
import type { ApiSource, BackfillView, LightView, SyncView, WarpView } from './source.ts'

/** From what the node holds to what the API shows. Stored bytes were checked when they came in: decoding cannot fail. */

export function statusJson(source: ApiSource): StatusJson {
  const { chain, genesis } = source
  const { tip } = chain
  const sync = source.sync()
  const pending = source.pending()
  const sessions = sessionCounts(source)
  return {
    version: source.version,
    chain_id: genesis.chainId,
    genesis_hash: toHex(genesis.hash),
    peer_id: source.peerId,
    chain_key: source.chainKey,
    addresses: [...source.addresses()],
    mode: source.mode,
    role: source.role,
    abstains: source.abstains?.()?.message ?? null,
    peer_key_in_use: source.keyInUse?.() ?? null,
    state: nodeState(source),
    ...outlookJson(source.outlook()),
    sync: syncJson(sync),
    finalized: { height: tip.height, hash: toHex(tip.hash), timestamp: tip.header.timestamp },
    pending: pending === undefined ? null : { ...pending, hash: toHex(pending.hash) },
    earliest_height: chain.earliestHeight,
    mmr_root: toHex(tip.mmrRoot),
    state_root: toHex(tip.header.stateRoot),
    event_total: chain.eventTotal,
    light: lightJson(source.light?.()),
    peers: { connected: source.peers().filter(passedHello).length, sessions },
    mempool: source.mempool(),
    log: { lost_lines: source.log?.lost ?? 0, fault: source.log?.fault ?? null },
    uptime_seconds: Math.floor(source.uptimeSeconds())
  }
}

function outlookJson(outlook: ReturnType<ApiSource['outlook']>): Pick<StatusJson, 'waiting' | 'clock'> {
  if (outlook === undefined) return { waiting: null, clock: null }
  const { waiting, clock } = outlook
  const { code, message, since, standsMs } = waiting
  return {
    waiting: { code, message, since, standing_seconds: standsMs === undefined ? null : Math.floor(standsMs / 1000) },
    clock: { ahead_ms: clock.aheadMs ?? null, faults: [...clock.faults] }
  }
}

function lightJson(light: LightView | undefined): StatusJson['light'] {
  if (light === undefined) return null
  const { checkpoint, crossCheck } = light
  return {
    checkpoint:
      checkpoint === undefined
        ? null
        : {
            height: checkpoint.height,
            hash: toHex(checkpoint.hash),
            age_seconds: Math.max(0, Math.floor((Date.now() - checkpoint.timestamp) / 1000))
          },
    cross_check: crossCheck === undefined ? null : { ...crossCheck, peers: [...crossCheck.peers] }
  }
}

/** From the state that is of least use to the one of most. */
const STATES: readonly SessionState[] = ['CONNECTING', 'HANDSHAKING', 'DETERMINING', 'SYNCING', 'PROVIDING', 'SYNCED']

/** SYNCING while behind a certified height, else the best session's state. */
export function nodeState(source: ApiSource): SessionState {
  if (source.sync().targetHeight > source.chain.tip.height) return 'SYNCING'
  return STATES[Math.max(0, ...source.peers().map((peer) => STATES.indexOf(peer.state)))] ?? 'CONNECTING'
}

/** Whoever has not is not known to be of this chain. */
function passedHello({ state }: PeerView): boolean {
  return state !== 'CONNECTING' && state !== 'HANDSHAKING'
}

function sessionCounts(source: ApiSource): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { state } of source.peers()) counts[state] = (counts[state] ?? 0) + 1
  return counts
}

export function syncJson(sync: SyncView): StatusJson['sync'] {
  return {
    strategy: sync.strategy,
    height: sync.height,
    target_height: sync.targetHeight,
    blocks_per_second: round(sync.blocksPerSecond),
    bytes_per_second: Math.round(sync.bytesPerSecond),
    eta_seconds: sync.etaSeconds === undefined ? null : Math.ceil(sync.etaSeconds),
    peers: sync.peers,
    stalled: sync.stalled === undefined ? null : { ...sync.stalled },
    last_run: lastRunJson(sync.lastRun),
    warp: warpJson(sync.warp),
    backfill: backfillJson(sync.backfill)
  }
}

function warpJson(warp: WarpView | undefined): StatusJson['sync']['warp'] {
  if (warp === undefined) return null
  const { phase, height = null, chunks = null, chunksDone = null } = warp
  return { phase, height, chunks, chunks_done: chunksDone }
}

function backfillJson(backfill: BackfillView | undefined): StatusJson['sync']['backfill'] {
  if (backfill === undefined) return null
  const { status, earliest, base, missing, uncertified, blocksPerSecond, bytesPerSecond, etaSeconds, fault } = backfill
  return {
    status,
    earliest_height: earliest,
    base_height: base ?? null,
    missing,
    uncertified,
    blocks_per_second: round(blocksPerSecond),
    bytes_per_second: Math.round(bytesPerSecond),
    eta_seconds: etaSeconds === undefined ? null : Math.ceil(etaSeconds),
    fault: fault === undefined ? null : { ...fault }
  }
}

export function syncDetailJson(sync: SyncView): SyncDetailJson {
  return {
    ...syncJson(sync),
    held_bytes: sync.heldBytes,
    max_held_bytes: sync.boundBytes,
    range_count: sync.ranges.length,
    // The lowest, which others wait for.
    ranges: sync.ranges.slice(0, MAX_LISTED / 10).map(({ start, count, status, seconds, attempts, peers }) => ({
      start,
      count,
      status,
      seconds: round(seconds),
      attempts,
      peers: peers.map(({ peer, seconds, bytes }) => ({
        peer_id: peer,
        seconds: seconds === undefined ? null : round(seconds),
        bytes
      }))
    }))
  }
}

function lastRunJson(run: SyncView['lastRun']): StatusJson['sync']['last_run'] {
  if (run === undefined) return null
  return { from_height: run.from, to_height: run.to, seconds: run.seconds, peers_used: run.peersUsed }
}

export function peerJson({ genesis }: Pick<ApiSource, 'genesis'>, peer: PeerView): PeerJson {
  return {
    peer_id: peer.peerId,
    address: peer.address,
    direction: peer.direction,
    state: peer.state,
    height: peer.height,
    claimed_height: peer.claimedHeight,
    earliest_height: peer.earliestHeight,
    mode: peer.mode ?? null,
    chain_key: peer.chainKey ?? null,
    validator: peer.chainKey === undefined ? null : validatorName(genesis, peer.chainKey),
    user_agent: peer.userAgent?.slice(0, MAX_PEER_TEXT) ?? null,
    score: round(peer.score),
    gossip: { ...peer.gossip },
    penalty_points: round(peer.points),
    last_fault: peer.fault === undefined ? null : { ...peer.fault },
    connected_at: peer.connectedAt
  }
}

export function heldPeerJson({ peerId, verdict, code, message, since, until }: HeldPeer): HeldPeerJson {
  return { peer_id: peerId, verdict, code, message, since, until }
}

/** The genesis's name for a key, null for a stranger's. */
export function validatorName(genesis: Genesis, publicKeyHex: string): string | null {
  const index = genesis.validators.keys.findIndex((key) => toHex(key) === publicKeyHex)
  return genesis.validators.names[index] ?? null
}

export function sealedHeaderJson({ hash, header, seal, commit }: SealedHeader): SealedHeaderJson {
  return {
    height: header.height,
    hash: toHex(hash),
    header: headerToJson(header),
    seal: seal.byteLength === 0 ? null : toHex(seal),
    commit: commit === undefined ? null : commitJson(commit)
  }
}

function commitJson(commit: Commit): CommitJson {
  return {
    height: commit.height,
    round: commit.round,
    block_hash: toHex(commit.blockHash),
    signatures: commit.signatures.map((entry) => ({
      validator: toHex(entry.validator),
      signature: toHex(entry.signature)
    }))
  }
}

export function eventJson({ height, index, bytes }: FoundEvent): EventJson {
  const { actor, signature, body } = SignedEvent.decode(bytes)
  const fields = EventBody.decode(body)
  return {
    event_id: toHex(eventId(actor, signature, body)),
    status: 'finalized',
    height,
    index,
    actor: toHex(actor),
    signature: toHex(signature),
    body: Buffer.from(body).toString('base64'),
    timestamp: fields.timestamp,
    ...(fields.occurredAt === undefined ? {} : { occurred_at: fields.occurredAt }),
    action: fields.action,
    resource: { kind: fields.resource?.kind ?? '', id: fields.resource?.id ?? '' },
    outcome: fields.outcome,
    ...(fields.actorName === undefined ? {} : { actor_name: fields.actorName }),
    metadata: fields.metadata.map(({ key, value }) => ({ key, value }))
  }
}

/** Whether the node itself or a connected peer has proven to hold this key. */
export function isConnected(source: ApiSource, publicKey: Uint8Array): boolean {
  const hex = toHex(publicKey)
  return source.chainKey === hex || source.peers().some((peer) => peer.chainKey === hex)
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
