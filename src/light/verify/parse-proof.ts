/** Reads the JSON form of a proof: its form alone, nothing is checked (verify-file.ts does). */
import type { Json } from '../../chain/json-document.ts'
import { JsonDocument } from '../../chain/json-document.ts'
import { fromHex } from '../../codec/bytes.ts'
import { assertCanonical } from '../../codec/canonical.ts'
import type { Header } from '../../codec/generated/chain.ts'
import { SignedEvent } from '../../codec/generated/event.ts'
import type { CompactProof, ConsistencyProof, HeaderProof } from '../../codec/generated/proof.ts'
import { SIGNED_EVENT } from '../../codec/rules.ts'
import { messageOf } from '../../error.ts'
import { PROOF_FORMAT, toBase64 } from './proof-json.ts'

type Bytes = Uint8Array<ArrayBuffer>

/** Room for the largest event of any chain (256 KiB) and its paths; a longer text is no proof and is not parsed. */
export const MAX_PROOF_CHARS = 1 << 20

/** Sizes of trees are below 2⁵³: no path is longer. */
const MAX_PATH = 64
const U32_MAX = 0xffff_ffff
const U64_MAX = Number.MAX_SAFE_INTEGER

const BASE_KEYS = ['format', 'kind', 'chain_id', 'genesis_hash']
const BLOCK_KEYS = ['anchor', 'header', 'mmr_path']
const KEYS = {
  event: [...BASE_KEYS, ...BLOCK_KEYS, 'event'],
  header: [...BASE_KEYS, ...BLOCK_KEYS],
  consistency: [...BASE_KEYS, 'from', 'to', 'path']
}
const HEADER_KEYS = [
  'version',
  'height',
  'parent_hash',
  'events_root',
  'event_count',
  'mmr_root',
  'state_root',
  'validators_hash',
  'next_validators_hash',
  'timestamp',
  'proposer'
]

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

export type ProofFile = EventProofFile | HeaderProofFile | ConsistencyProofFile

const proof = new JsonDocument('PROOF_MALFORMED', 'proof')

/** @throws MolochError PROOF_MALFORMED, one line that names the key, its value and what would be accepted */
export function parseProofFile(text: string): ProofFile {
  const parsed = proof.parse(text, MAX_PROOF_CHARS)
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
  const header = readHeader(document.header, 'header')
  const anchor = readAnchor(document.anchor, header)
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
  const { format, kind } = proof.object(parsed, 'the document', [...KEYS.event, ...KEYS.consistency])
  if (format !== PROOF_FORMAT) throw proof.wrong('format', format, JSON.stringify(PROOF_FORMAT))
  if (kind === 'event' || kind === 'header' || kind === 'consistency') return kind
  throw proof.wrong('kind', kind, '"event", "header" or "consistency"')
}

function readAnchor(value: unknown, own: Header): FileAnchor {
  const { height, hash, header } = proof.object(value, 'anchor', ['height', 'hash', 'header'])
  const anchor = {
    height: proof.integer(height, 'anchor.height', 0, U64_MAX),
    hash: hex(hash, 'anchor.hash'),
    header: header === undefined ? undefined : readHeader(header, 'anchor.header')
  }
  const isOwn = anchor.height === own.height
  if (isOwn && anchor.header !== undefined) {
    throw proof.bad(`anchor.header is there though anchor.height is the header's own; accepted: without it`)
  }
  if (!isOwn && anchor.header === undefined) throw proof.wrong('anchor.header', undefined, 'the header of that height')
  if (anchor.header !== undefined && anchor.header.height !== anchor.height) {
    throw proof.wrong('anchor.header.height', anchor.header.height, `anchor.height, ${anchor.height}`)
  }
  return anchor
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

function readHeader(value: unknown, name: string): Header {
  const json: Json = proof.object(value, name, HEADER_KEYS)
  const count = (key: string, max: number): number => proof.integer(json[key], `${name}.${key}`, 0, max)
  const hash = (key: string): Bytes => hex(json[key], `${name}.${key}`)
  return {
    version: count('version', U32_MAX),
    height: count('height', U64_MAX),
    parentHash: hash('parent_hash'),
    eventsRoot: hash('events_root'),
    eventCount: count('event_count', U32_MAX),
    mmrRoot: hash('mmr_root'),
    stateRoot: hash('state_root'),
    validatorsHash: hash('validators_hash'),
    nextValidatorsHash: hash('next_validators_hash'),
    timestamp: count('timestamp', U64_MAX),
    proposer: hash('proposer')
  }
}

function path(value: unknown, name: string): Bytes[] {
  if (!Array.isArray(value) || value.length > MAX_PATH) {
    throw proof.wrong(name, value, `a list of at most ${MAX_PATH} hashes`)
  }
  return value.map((hash: unknown, index) => hex(hash, `${name}[${index}]`))
}

function string(value: unknown, name: string): string {
  if (typeof value !== 'string') throw proof.wrong(name, value, 'a string')
  return value
}

function hex(value: unknown, name: string): Bytes {
  if (typeof value !== 'string' || !/^[0-9a-f]{64}$/.test(value))
    throw proof.wrong(name, value, '64 lowercase hex digits')
  return fromHex(value, 32) as Bytes
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
