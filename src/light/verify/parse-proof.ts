/** Reads the JSON form of a proof: its form alone, nothing is checked (verify-file.ts does). */
import { assertCanonical } from '../../codec/canonical.ts'
import type { Header } from '../../codec/generated/chain.ts'
import { SignedEvent } from '../../codec/generated/event.ts'
import type { CompactProof, ConsistencyProof, HeaderProof, HistoryProof } from '../../codec/generated/proof.ts'
import { SIGNED_EVENT } from '../../codec/rules.ts'
import { messageOf } from '../../error.ts'
import type { HistoryKey } from './history-key.ts'
import { readHistory } from './parse-history.ts'
import { PROOF_FORMAT, toBase64 } from './proof-json.ts'
import { hex, path, proof, readHeader, string, U32_MAX, U64_MAX } from './read-json.ts'

type Bytes = Uint8Array<ArrayBuffer>

/**
 * Room for the largest event of any chain (256 KiB) and its paths, or for a history of some 15 000 events; a longer text
 * is not parsed.
 */
export const MAX_PROOF_CHARS = 1 << 20
/** Room for a history of some 4 million events. */
export const MAX_HISTORY_CHARS = 256 << 20

const BASE_KEYS = ['format', 'kind', 'chain_id', 'genesis_hash']
const BLOCK_KEYS = ['anchor', 'header', 'mmr_path']
const KEYS = {
  event: [...BASE_KEYS, ...BLOCK_KEYS, 'event'],
  header: [...BASE_KEYS, ...BLOCK_KEYS],
  consistency: [...BASE_KEYS, 'from', 'to', 'path'],
  history: [...BASE_KEYS, 'anchor', 'key', 'state', 'pages']
}
/** What a file says of its anchor; without a header it is the block's own. */
export interface FileAnchor {
  readonly height: number
  readonly hash: Bytes
  readonly header: Header | undefined
}

interface FileOfChain {
  readonly chainId: string
  readonly genesisHash: Bytes
}

export interface EventProofFile extends FileOfChain {
  readonly kind: 'event'
  readonly anchor: FileAnchor
  /** What the file says the event's id is. */
  readonly eventId: Bytes
  readonly proof: CompactProof
}

export interface HeaderProofFile extends FileOfChain {
  readonly kind: 'header'
  readonly anchor: FileAnchor
  readonly proof: HeaderProof
}

export interface ConsistencyProofFile extends FileOfChain {
  readonly kind: 'consistency'
  readonly from: Header
  readonly to: Header
  readonly proof: ConsistencyProof
}

export interface HistoryProofFile extends FileOfChain {
  readonly kind: 'history'
  readonly anchor: FileAnchor & { readonly header: Header }
  /** Whose history the file says it is. */
  readonly key: HistoryKey
  readonly proof: HistoryProof
}

export type ProofFile = EventProofFile | HeaderProofFile | ConsistencyProofFile | HistoryProofFile

/**
 * @param maxChars MAX_HISTORY_CHARS where long histories are expected
 * @throws MolochError PROOF_MALFORMED, one line that names the key, its value and what would be accepted
 */
export function parseProofFile(text: string, maxChars = MAX_PROOF_CHARS): ProofFile {
  const parsed = proof.parse(text, maxChars)
  const kind = kindOf(parsed)
  const document = proof.object(parsed, 'the document', KEYS[kind])
  const base = {
    chainId: string(document.chain_id, 'chain_id'),
    genesisHash: hex(document.genesis_hash, 'genesis_hash')
  }
  if (kind === 'consistency') {
    const from = end(document.from, 'from')
    const to = end(document.to, 'to')
    return { ...base, kind, from, to, proof: { from: from.height, to: to.height, path: path(document.path, 'path') } }
  }
  if (kind === 'history') {
    const anchor = readAnchor(document.anchor)
    return { ...base, kind, anchor, ...readHistory(document, anchor.height) }
  }
  const header = readHeader(document.header, 'header')
  const anchor = readBlockAnchor(document.anchor, header)
  const block = {
    header,
    mmrPath: path(document.mmr_path, 'mmr_path'),
    anchorHeight: anchor.header === undefined ? 0 : anchor.height
  }
  if (kind === 'header') return { ...base, kind, anchor, proof: block }
  const { id, event, index, count, eventPath } = readEvent(document.event)
  return {
    ...base,
    kind,
    anchor,
    eventId: id,
    proof: { event, eventIndex: index, eventCount: count, eventPath, ...block }
  }
}

function kindOf(parsed: unknown): keyof typeof KEYS {
  // The keys are looked at when it is known which they are.
  const { format, kind } = proof.object(parsed, 'the document', Object.values(KEYS).flat())
  if (format !== PROOF_FORMAT) throw proof.wrong('format', format, JSON.stringify(PROOF_FORMAT))
  if (kind === 'event' || kind === 'header' || kind === 'consistency' || kind === 'history') return kind
  throw proof.wrong('kind', kind, '"event", "header", "consistency" or "history"')
}

function readFileAnchor(value: unknown): FileAnchor {
  const { height, hash, header } = proof.object(value, 'anchor', ['height', 'hash', 'header'])
  return {
    height: proof.integer(height, 'anchor.height', 0, U64_MAX),
    hash: hex(hash, 'anchor.hash'),
    header: header === undefined ? undefined : readHeader(header, 'anchor.header')
  }
}

function readAnchor(value: unknown): FileAnchor & { readonly header: Header } {
  const { header, ...anchor } = readFileAnchor(value)
  if (header === undefined) throw proof.wrong('anchor.header', undefined, 'the header of that height')
  if (header.height !== anchor.height) {
    throw proof.wrong('anchor.header.height', header.height, `anchor.height, ${anchor.height}`)
  }
  return { ...anchor, header }
}

/** Of a proof that carries a header itself. */
function readBlockAnchor(value: unknown, own: Header): FileAnchor {
  const anchor = readFileAnchor(value)
  const isOwn = anchor.height === own.height
  if (isOwn && anchor.header !== undefined) {
    throw proof.bad(`anchor.header is there though anchor.height is the header's own; accepted: without it`)
  }
  return isOwn ? anchor : readAnchor(value)
}

function readEvent(value: unknown): {
  id: Bytes
  event: SignedEvent
  index: number
  count: number
  eventPath: Bytes[]
} {
  const {
    id,
    bytes,
    index,
    count,
    path: hashes
  } = proof.object(value, 'event', ['id', 'bytes', 'index', 'count', 'path'])
  return {
    id: hex(id, 'event.id'),
    event: signedEvent(bytes),
    index: proof.integer(index, 'event.index', 0, U32_MAX),
    count: proof.integer(count, 'event.count', 1, U32_MAX),
    eventPath: path(hashes, 'event.path')
  }
}

function signedEvent(value: unknown): SignedEvent {
  const bytes = fromBase64(value)
  if (bytes === undefined) throw proof.wrong('event.bytes', value, 'base64 of an encoded SignedEvent')
  try {
    assertCanonical(SIGNED_EVENT, bytes)
  } catch (error) {
    throw proof.bad(`event.bytes are no canonical SignedEvent: ${messageOf(error)}`)
  }
  return SignedEvent.decode(bytes)
}

function end(value: unknown, name: string): Header {
  const { height, header } = proof.object(value, name, ['height', 'header'])
  const at = proof.integer(height, `${name}.height`, 0, U64_MAX)
  const read = readHeader(header, `${name}.header`)
  if (read.height !== at) throw proof.wrong(`${name}.header.height`, read.height, `${name}.height, ${at}`)
  return read
}

/** Undefined for what is not the one base64 form of its bytes. */
function fromBase64(value: unknown): Bytes | undefined {
  if (typeof value !== 'string' || !/^[A-Za-z0-9+/]+={0,2}$/.test(value)) return undefined
  try {
    const bytes = Uint8Array.from(atob(value), (character) => character.charCodeAt(0))
    return toBase64(bytes) === value ? bytes : undefined
  } catch {
    return undefined
  }
}
