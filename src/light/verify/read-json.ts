/** Readers of a proof file's values: their form alone. Each throws MolochError PROOF_MALFORMED. */
import { type Json, JsonDocument } from '../../chain/json-document.ts'
import { fromHex } from '../../codec/bytes.ts'
import type { Header } from '../../codec/generated/chain.ts'

type Bytes = Uint8Array<ArrayBuffer>

/** Sizes of trees are below 2⁵³: no path is longer. */
const MAX_PATH = 64
export const U32_MAX = 0xffff_ffff
export const U64_MAX = Number.MAX_SAFE_INTEGER

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

export const proof = new JsonDocument('PROOF_MALFORMED', 'proof')

export function readHeader(value: unknown, name: string): Header {
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

export function path(value: unknown, name: string, max = MAX_PATH): Bytes[] {
  if (!Array.isArray(value) || value.length > max) {
    throw proof.wrong(name, value, `a list of at most ${max} hashes`)
  }
  return value.map((hash: unknown, index) => hex(hash, `${name}[${index}]`))
}

export function string(value: unknown, name: string): string {
  if (typeof value !== 'string') throw proof.wrong(name, value, 'a string')
  return value
}

export function hex(value: unknown, name: string): Bytes {
  if (typeof value !== 'string' || !/^[0-9a-f]{64}$/.test(value))
    throw proof.wrong(name, value, '64 lowercase hex digits')
  return fromHex(value, 32) as Bytes
}
