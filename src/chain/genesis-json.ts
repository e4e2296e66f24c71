/** Reads a genesis document: every key known, every value in range, each fault in one line of its own. */
import { fromHex } from '../codec/bytes.ts'
import { isPublicKey } from '../crypto/ed25519.ts'
import { type Json, JsonDocument } from './json-document.ts'
import { BLOCK_OVERHEAD_BYTES, DEFAULT_PARAMS, PARAM_NAMES, PARAM_RULES, type Params } from './params.ts'
import { MAX_VALIDATORS } from './validators.ts'

/** Room for about 200 000 actors; a longer text is no genesis and is not parsed. */
export const MAX_GENESIS_CHARS = 16 << 20

const CHAIN_ID = /^[a-z0-9-]{1,32}$/
const NAME = /^[A-Za-z0-9._-]{1,64}$/
const KEYS = ['chain_id', 'timestamp', 'validators', 'actors', 'params']
const VALIDATOR_KEYS = ['name', 'public_key']
const KEY_ACCEPTED = '64 lowercase hex digits of an Ed25519 public key'

export interface GenesisContent {
  readonly chainId: string
  readonly timestamp: number
  readonly validators: readonly { readonly name: string; readonly publicKey: Uint8Array }[]
  readonly actors: readonly string[] | undefined
  readonly params: Params
}

const genesis = new JsonDocument('BAD_GENESIS', 'genesis')

/** @throws MolochError BAD_GENESIS */
export function readGenesis(text: string): { document: Json; content: GenesisContent } {
  const document = genesis.object(genesis.parse(text, MAX_GENESIS_CHARS), 'the document', KEYS)
  if (typeof document.chain_id !== 'string' || !CHAIN_ID.test(document.chain_id)) {
    throw genesis.wrong('chain_id', document.chain_id, '1 to 32 characters of a-z, 0-9 and -')
  }
  return {
    document,
    content: {
      chainId: document.chain_id,
      timestamp: genesis.integer(document.timestamp, 'timestamp', 0, Number.MAX_SAFE_INTEGER),
      validators: readValidators(document.validators),
      actors: readActors(document.actors),
      params: readParams(document.params)
    }
  }
}

function readValidators(value: unknown): { name: string; publicKey: Uint8Array }[] {
  if (!Array.isArray(value) || value.length < 1 || value.length > MAX_VALIDATORS) {
    throw genesis.wrong('validators', value, `a list of 1 to ${MAX_VALIDATORS} of {name, public_key}`)
  }
  const names = new Set<string>()
  const keys = new Set<string>()
  return value.map((entry: unknown, index) => {
    const path = `validators[${index}]`
    const { name, public_key: key } = genesis.object(entry, path, VALIDATOR_KEYS)
    if (typeof name !== 'string' || !NAME.test(name)) {
      throw genesis.wrong(`${path}.name`, name, '1 to 64 characters of A-Z, a-z, 0-9, ".", "_" and "-"')
    }
    if (names.has(name)) throw genesis.wrong(`${path}.name`, name, 'a name that no other validator has')
    names.add(name)
    const publicKey = hexKey(key, `${path}.public_key`)
    if (keys.has(key as string)) throw genesis.wrong(`${path}.public_key`, key, 'a key that no other validator has')
    keys.add(key as string)
    // With a key of small order one signature fits many messages: it proves nobody's consent.
    if (!isPublicKey(publicKey)) throw genesis.wrong(`${path}.public_key`, key, 'a key made from a secret one')
    return { name, publicKey }
  })
}

function readActors(value: unknown): string[] | undefined {
  if (value === undefined) return undefined
  if (!Array.isArray(value)) throw genesis.wrong('actors', value, 'a list of public keys, or no such key')
  const seen = new Set<string>()
  for (const [index, key] of value.entries()) {
    hexKey(key, `actors[${index}]`)
    if (seen.has(key)) throw genesis.wrong(`actors[${index}]`, key, 'each actor once')
    seen.add(key)
  }
  return value
}

function readParams(value: unknown): Params {
  const params: { -readonly [Name in keyof Params]: number } = { ...DEFAULT_PARAMS }
  if (value === undefined) return params
  const given = genesis.object(
    value,
    'params',
    PARAM_NAMES.map((name) => PARAM_RULES[name].key)
  )
  for (const name of PARAM_NAMES) {
    const { key, min, max } = PARAM_RULES[name]
    if (given[key] !== undefined) params[name] = genesis.integer(given[key], `params.${key}`, min, max)
  }
  if (params.emptyBlockIntervalMs < params.blockIntervalMs) {
    const accepted = `at least block_interval_ms (${params.blockIntervalMs})`
    throw genesis.wrong('params.empty_block_interval_ms', params.emptyBlockIntervalMs, accepted)
  }
  // An event that is accepted but fits no block would wait for ever.
  if (params.maxEventBytes > params.maxBlockBytes - BLOCK_OVERHEAD_BYTES) {
    const accepted = `at most max_block_bytes − ${BLOCK_OVERHEAD_BYTES} (${params.maxBlockBytes - BLOCK_OVERHEAD_BYTES})`
    throw genesis.wrong('params.max_event_bytes', params.maxEventBytes, accepted)
  }
  return params
}

function hexKey(value: unknown, path: string): Uint8Array {
  if (typeof value !== 'string' || !/^[0-9a-f]{64}$/.test(value)) throw genesis.wrong(path, value, KEY_ACCEPTED)
  return fromHex(value, 32) as Uint8Array
}
