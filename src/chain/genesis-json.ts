/** Reads a genesis document: every key known, every value in range, each fault in one line of its own. */
import { fromHex } from '../codec/bytes.ts'
import { isPublicKey } from '../crypto/ed25519.ts'
import { MolochError, messageOf } from '../error.ts'
import { duplicateKey } from './json-keys.ts'
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

type Json = Record<string, unknown>

/** @throws MolochError BAD_GENESIS */
export function readGenesis(text: string): { document: Json; content: GenesisContent } {
  if (text.length > MAX_GENESIS_CHARS) {
    throw bad(`the text has ${text.length} characters; accepted: at most ${MAX_GENESIS_CHARS}`)
  }
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (cause) {
    throw bad(`not JSON: ${messageOf(cause)}`)
  }
  const repeated = duplicateKey(text)
  if (repeated !== undefined) throw bad(`key ${show(repeated)} is there twice; accepted: each key once`)
  const document = object(parsed, 'the document', KEYS)
  if (typeof document.chain_id !== 'string' || !CHAIN_ID.test(document.chain_id)) {
    throw wrong('chain_id', document.chain_id, '1 to 32 characters of a-z, 0-9 and -')
  }
  return {
    document,
    content: {
      chainId: document.chain_id,
      timestamp: integer(document.timestamp, 'timestamp', 0, Number.MAX_SAFE_INTEGER),
      validators: readValidators(document.validators),
      actors: readActors(document.actors),
      params: readParams(document.params)
    }
  }
}

function readValidators(value: unknown): { name: string; publicKey: Uint8Array }[] {
  if (!Array.isArray(value) || value.length < 1 || value.length > MAX_VALIDATORS) {
    throw wrong('validators', value, `a list of 1 to ${MAX_VALIDATORS} of {name, public_key}`)
  }
  const names = new Set<string>()
  const keys = new Set<string>()
  return value.map((entry: unknown, index) => {
    const path = `validators[${index}]`
    const { name, public_key: key } = object(entry, path, VALIDATOR_KEYS)
    if (typeof name !== 'string' || !NAME.test(name)) {
      throw wrong(`${path}.name`, name, '1 to 64 characters of A-Z, a-z, 0-9, ".", "_" and "-"')
    }
    if (names.has(name)) throw wrong(`${path}.name`, name, 'a name that no other validator has')
    names.add(name)
    const publicKey = hexKey(key, `${path}.public_key`)
    if (keys.has(key as string)) throw wrong(`${path}.public_key`, key, 'a key that no other validator has')
    keys.add(key as string)
    // With a key of small order one signature fits many messages: it proves nobody's consent.
    if (!isPublicKey(publicKey)) throw wrong(`${path}.public_key`, key, 'a key made from a secret one')
    return { name, publicKey }
  })
}

function readActors(value: unknown): string[] | undefined {
  if (value === undefined) return undefined
  if (!Array.isArray(value)) throw wrong('actors', value, 'a list of public keys, or no such key')
  const seen = new Set<string>()
  for (const [index, key] of value.entries()) {
    hexKey(key, `actors[${index}]`)
    if (seen.has(key)) throw wrong(`actors[${index}]`, key, 'each actor once')
    seen.add(key)
  }
  return value
}

function readParams(value: unknown): Params {
  const params: { -readonly [Name in keyof Params]: number } = { ...DEFAULT_PARAMS }
  if (value === undefined) return params
  const given = object(
    value,
    'params',
    PARAM_NAMES.map((name) => PARAM_RULES[name].key)
  )
  for (const name of PARAM_NAMES) {
    const { key, min, max } = PARAM_RULES[name]
    if (given[key] !== undefined) params[name] = integer(given[key], `params.${key}`, min, max)
  }
  if (params.emptyBlockIntervalMs < params.blockIntervalMs) {
    const accepted = `at least block_interval_ms (${params.blockIntervalMs})`
    throw wrong('params.empty_block_interval_ms', params.emptyBlockIntervalMs, accepted)
  }
  // An event that is accepted but fits no block would wait for ever.
  if (params.maxEventBytes > params.maxBlockBytes - BLOCK_OVERHEAD_BYTES) {
    const accepted = `at most max_block_bytes − ${BLOCK_OVERHEAD_BYTES} (${params.maxBlockBytes - BLOCK_OVERHEAD_BYTES})`
    throw wrong('params.max_event_bytes', params.maxEventBytes, accepted)
  }
  return params
}

function object(value: unknown, path: string, keys: readonly string[]): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw wrong(path, value, `an object with the keys ${keys.join(', ')}`)
  }
  for (const key of Object.keys(value)) {
    if (!keys.includes(key)) throw bad(`unknown key ${show(key)} in ${path}; accepted: ${keys.join(', ')}`)
  }
  return value as Json
}

function integer(value: unknown, path: string, min: number, max: number): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
    throw wrong(path, value, `an integer in ${min} … ${max}`)
  }
  return value
}

function hexKey(value: unknown, path: string): Uint8Array {
  if (typeof value !== 'string' || !/^[0-9a-f]{64}$/.test(value)) throw wrong(path, value, KEY_ACCEPTED)
  return fromHex(value, 32) as Uint8Array
}

function wrong(path: string, value: unknown, accepted: string): MolochError {
  return bad(
    value === undefined
      ? `${path} is missing; accepted: ${accepted}`
      : `${path} is ${show(value)}; accepted: ${accepted}`
  )
}

/** A value in one short line. */
function show(value: unknown): string {
  const text = JSON.stringify(value)
  return text.length > 100 ? `${text.slice(0, 100)}…` : text
}

function bad(message: string): MolochError {
  return new MolochError('BAD_GENESIS', `genesis: ${message}`)
}
