/** The JSON form of a proof (docs/proofs.md): what `/v1/proofs/…` answers with and what a proof file holds. */
import { eventId } from '../../chain/event.ts'
import type { Genesis } from '../../chain/genesis.ts'
import { toHex } from '../../codec/bytes.ts'
import type { Header } from '../../codec/generated/chain.ts'
import { SignedEvent } from '../../codec/generated/event.ts'
import type {
  CompactProof,
  ConsistencyProof,
  HeaderProof,
  HistoryPage,
  HistoryProof
} from '../../codec/generated/proof.ts'
import type { Anchor } from './anchor.ts'
import { type HistoryKey, type HistoryKeyJson, keyToJson } from './history-key.ts'

export const PROOF_FORMAT = 'moloch-proof/1'

/** A header as JSON: hashes and keys are lowercase hex, the timestamp Unix ms. */
export interface HeaderJson {
  version: number
  height: number
  parent_hash: string
  events_root: string
  event_count: number
  mmr_root: string
  state_root: string
  validators_hash: string
  next_validators_hash: string
  timestamp: number
  proposer: string
}

interface ProofJsonBase {
  format: typeof PROOF_FORMAT
  chain_id: string
  genesis_hash: string
}

export interface AnchorJson {
  height: number
  hash: string
  /** Absent if the anchor is the block's own header. */
  header?: HeaderJson
}

export interface EventProofJson extends ProofJsonBase {
  kind: 'event'
  anchor: AnchorJson
  /** `bytes` is base64 of the encoded SignedEvent. */
  event: { id: string; bytes: string; index: number; count: number; path: string[] }
  header: HeaderJson
  mmr_path: string[]
}

export interface HeaderProofJson extends ProofJsonBase {
  kind: 'header'
  anchor: AnchorJson
  header: HeaderJson
  mmr_path: string[]
}

export interface ConsistencyProofJson extends ProofJsonBase {
  kind: 'consistency'
  from: { height: number; header: HeaderJson }
  to: { height: number; header: HeaderJson }
  path: string[]
}

export interface HistoryPageJson {
  prev_head: string
  ids: string[]
}

export interface HistoryProofJson extends ProofJsonBase {
  kind: 'history'
  anchor: AnchorJson
  key: HistoryKeyJson
  state: {
    event_total: number
    other_roots: string[]
    siblings: string[]
    /** Null: the way of the key ends at nothing. */
    leaf: { key_hash: string; count: number; head: string } | null
  }
  /** The newest first. */
  pages: HistoryPageJson[]
}

export type ProofJson = EventProofJson | HeaderProofJson | ConsistencyProofJson | HistoryProofJson

/** A proof with the headers that it is checked against. `from` and `to` are the headers of those heights. */
export type AnchoredProof =
  | { readonly kind: 'event'; readonly proof: CompactProof; readonly anchor: Anchor }
  | { readonly kind: 'header'; readonly proof: HeaderProof; readonly anchor: Anchor }
  | { readonly kind: 'consistency'; readonly proof: ConsistencyProof; readonly from: Header; readonly to: Header }
  | { readonly kind: 'history'; readonly proof: HistoryProof; readonly anchor: Anchor; readonly key: HistoryKey }

/**
 * @param anchored a whole proof: one that is checked or was just made
 * @throws RangeError if the proof has no event, header or state
 */
export function proofToJson({ chainId, hash }: Pick<Genesis, 'chainId' | 'hash'>, anchored: AnchoredProof): ProofJson {
  const base = { format: PROOF_FORMAT, chain_id: chainId, genesis_hash: toHex(hash) } as const
  if (anchored.kind === 'consistency') {
    const { proof, from, to } = anchored
    return {
      ...base,
      kind: 'consistency',
      from: { height: from.height, header: headerToJson(from) },
      to: { height: to.height, header: headerToJson(to) },
      path: proof.path.map(toHex)
    }
  }
  if (anchored.kind === 'history') return { ...base, kind: 'history', ...historyToJson(anchored) }
  const { proof, anchor } = anchored
  const { header } = proof
  if (header === undefined) throw new RangeError('the proof has no header')
  const tail = { header: headerToJson(header), mmr_path: proof.mmrPath.map(toHex) }
  const named = { height: anchor.height, hash: toHex(anchor.hash) }
  const anchorJson = proof.anchorHeight === 0 ? named : { ...named, header: headerToJson(anchor.header) }
  if (anchored.kind === 'header') return { ...base, kind: 'header', anchor: anchorJson, ...tail }
  const { event, eventIndex, eventCount, eventPath } = anchored.proof
  if (event === undefined) throw new RangeError('the proof has no event')
  return {
    ...base,
    kind: 'event',
    anchor: anchorJson,
    event: {
      id: toHex(eventId(event.actor, event.signature, event.body)),
      bytes: toBase64(SignedEvent.encode(event)),
      index: eventIndex,
      count: eventCount,
      path: eventPath.map(toHex)
    },
    ...tail
  }
}

function historyToJson({ proof: { state, pages }, anchor, key }: Extract<AnchoredProof, { kind: 'history' }>) {
  if (state === undefined) throw new RangeError('the proof has no state')
  const { eventTotal, otherRoots, siblings, leaf } = state
  return {
    anchor: { height: anchor.height, hash: toHex(anchor.hash), header: headerToJson(anchor.header) },
    key: keyToJson(key),
    state: {
      event_total: eventTotal,
      other_roots: otherRoots.map(toHex),
      siblings: siblings.map(toHex),
      leaf: leaf === undefined ? null : { key_hash: toHex(leaf.keyHash), count: leaf.count, head: toHex(leaf.head) }
    },
    pages: pages.map(pageToJson)
  }
}

export function pageToJson({ prevHead, ids }: HistoryPage): HistoryPageJson {
  return { prev_head: toHex(prevHead), ids: ids.map(toHex) }
}

export function headerToJson(header: Header): HeaderJson {
  return {
    version: header.version,
    height: header.height,
    parent_hash: toHex(header.parentHash),
    events_root: toHex(header.eventsRoot),
    event_count: header.eventCount,
    mmr_root: toHex(header.mmrRoot),
    state_root: toHex(header.stateRoot),
    validators_hash: toHex(header.validatorsHash),
    next_validators_hash: toHex(header.nextValidatorsHash),
    timestamp: header.timestamp,
    proposer: toHex(header.proposer)
  }
}

/** RFC 4648 §4, with padding. */
export function toBase64(bytes: Uint8Array): string {
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return btoa(binary)
}
