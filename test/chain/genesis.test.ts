import { createHash } from 'node:crypto'
import { ED25519_TORSION_SUBGROUP } from '@noble/curves/ed25519.js'
import { describe, expect, test } from 'vitest'
import { createGenesis, parseGenesis, scope } from '../../src/chain/genesis.ts'
import { genesisBlockHash, genesisHeader } from '../../src/chain/header.ts'
import { DEFAULT_PARAMS, PARAM_NAMES, PARAM_RULES } from '../../src/chain/params.ts'
import { toHex, u64be } from '../../src/codec/bytes.ts'
import { keyOf } from './fixture.ts'

const KEY = toHex(keyOf('a').publicKey)
const OTHER = toHex(keyOf('b').publicKey)

type Json = Record<string, unknown>

function document(changes: Json = {}): Json {
  return { chain_id: 'test-1', timestamp: 1000, validators: [{ name: 'a', public_key: KEY }], ...changes }
}

const parse = (changes: Json = {}) => parseGenesis(JSON.stringify(document(changes)))

describe('a genesis', () => {
  test('has its defaults, its hash over canonical JSON and its scope', () => {
    const genesis = parse()
    const json = `{"chain_id":"test-1","timestamp":1000,"validators":[{"name":"a","public_key":"${KEY}"}]}`
    expect(genesis.json).toBe(json)
    expect(toHex(genesis.hash)).toBe(createHash('sha256').update(`moloch/genesis/v1${json}`).digest('hex'))
    expect(genesis.params).toEqual(DEFAULT_PARAMS)
    expect(genesis.actors).toBeUndefined()
    expect(scope(genesis)).toBe(`test-1-${toHex(genesis.hash).slice(0, 8)}`)
  })

  test('is the same whatever the order of its keys and its white space', () => {
    const text = `{ "validators": [ {"public_key":"${KEY}", "name":"\\u0061"} ],\n "timestamp": 1000, "chain_id":"test-1" }`
    expect(parseGenesis(text).hash).toEqual(parse().hash)
  })

  test('reads its own canonical JSON back', () => {
    const validators = [
      { name: 'one', publicKey: keyOf('a').publicKey },
      { name: 'two', publicKey: keyOf('b').publicKey }
    ]
    const actors = [keyOf('c').publicKey]
    const made = createGenesis({ chainId: 'x', timestamp: 7, validators, actors, params: { blockIntervalMs: 50 } })
    const read = parseGenesis(made.json)
    expect(read.hash).toEqual(made.hash)
    expect(read.params).toEqual({ ...DEFAULT_PARAMS, blockIntervalMs: 50 })
    expect(read.actors).toEqual(new Set([toHex(keyOf('c').publicKey)]))
    expect(read.validators.names).toEqual(['one', 'two'])
    expect(JSON.parse(made.json).params.max_block_events).toBe(10_000)
  })

  test.each(PARAM_NAMES)('takes both ends of the range of %s and neither side of it', (name) => {
    const { key, min, max } = PARAM_RULES[name]
    // Values that others depend on are given room.
    const room = { empty_block_interval_ms: 3_600_000, max_block_bytes: 2 << 20, block_interval_ms: 1 }
    const least = { ...room, ...(name === 'maxBlockBytes' ? { max_event_bytes: 1 << 10 } : {}) }
    for (const value of [min, max]) expect(parse({ params: { ...least, [key]: value } }).params[name]).toBe(value)
    for (const value of [min - 1, max + 1, min + 0.5, `${min}`, null, true]) {
      expect(() => parse({ params: { ...least, [key]: value } })).toThrow(
        `${key} is ${JSON.stringify(value)}; accepted`
      )
    }
  })
})

describe('block 0', () => {
  const genesis = parse()
  const header = genesisHeader(genesis)

  test('follows from the genesis', () => {
    const empty = createHash('sha256').digest('hex')
    expect(header).toMatchObject({ version: 1, height: 0, eventCount: 0, timestamp: 1000 })
    expect([toHex(header.eventsRoot), toHex(header.mmrRoot)]).toEqual([empty, empty])
    expect(header.parentHash).toEqual(genesis.hash)
    expect(toHex(header.proposer)).toBe('00'.repeat(32))
    expect(header.validatorsHash).toEqual(header.nextValidatorsHash)
  })

  test('has the state root of nothing', () => {
    const state = createHash('sha256').update('moloch/state/v1').update(u64be(0)).update(genesis.validators.hash)
    expect(toHex(header.stateRoot)).toBe(state.update(Buffer.alloc(96)).digest('hex'))
  })

  test('differs from chain to chain', () => {
    expect(genesisBlockHash(genesis)).not.toEqual(genesisBlockHash(parse({ timestamp: 1001 })))
  })
})

describe('what is refused is named, with what would be accepted', () => {
  const named = (name: string, key = OTHER): Json => ({ name, public_key: key })
  const many = (count: number): Json[] =>
    Array.from({ length: count }, (_, i) => named(`v${i}`, toHex(keyOf(`many ${i}`).publicKey)))

  const faults: [what: string, changes: Json, message: string][] = [
    ['an unknown key', { colour: 1 }, 'unknown key "colour" in the document; accepted: chain_id, timestamp,'],
    ['an unknown parameter', { params: { block_interval: 1 } }, 'unknown key "block_interval" in params; accepted: bl'],
    ['an unknown key of a validator', { validators: [{ ...named('b'), x: 1 }] }, 'unknown key "x" in validators[0]'],
    ['no chain id', { chain_id: undefined }, 'chain_id is missing; accepted: 1 to 32'],
    ['a chain id in capitals', { chain_id: 'Test' }, 'chain_id is "Test"; accepted: 1 to 32 characters of a-z'],
    ['an empty chain id', { chain_id: '' }, 'chain_id is ""'],
    ['a chain id of 33 characters', { chain_id: 'a'.repeat(33) }, 'chain_id is "aaa'],
    ['a chain id with a line end', { chain_id: 'a\n' }, 'chain_id is "a\\n"'],
    ['a timestamp in text', { timestamp: '5' }, 'timestamp is "5"; accepted: an integer in 0 …'],
    ['a negative timestamp', { timestamp: -1 }, 'timestamp is -1'],
    ['a timestamp that no double holds', { timestamp: 2 ** 53 }, 'timestamp is 9007199254740992'],
    ['no validators', { validators: [] }, 'validators is []; accepted: a list of 1 to 128'],
    ['129 validators', { validators: many(129) }, 'accepted: a list of 1 to 128'],
    ['a validator that is a key', { validators: [KEY] }, 'accepted: an object with the keys name, public_key'],
    ['a validator without a name', { validators: [{ public_key: KEY }] }, 'validators[0].name is missing'],
    ['a name with a space', { validators: [named('a b')] }, 'validators[0].name is "a b"; accepted: 1 to 64'],
    [
      'two validators of one name',
      { validators: [named('a', KEY), named('a')] },
      'validators[1].name is "a"; accepted: a name'
    ],
    ['two validators of one key', { validators: [named('a'), named('b')] }, `validators[1].public_key is "${OTHER}"`],
    ['a key in capitals', { validators: [named('a', KEY.toUpperCase())] }, 'accepted: 64 lowercase hex digits'],
    ['a key of 31 bytes', { validators: [named('a', KEY.slice(2))] }, 'accepted: 64 lowercase hex digits'],
    ['a key of small order', { validators: [named('a', ED25519_TORSION_SUBGROUP[1])] }, 'a key made from a secret'],
    ['actors that are no list', { actors: {} }, 'actors is {}; accepted: a list'],
    ['an actor that is no key', { actors: ['me'] }, 'actors[0] is "me"; accepted: 64 lowercase'],
    ['an actor twice', { actors: [KEY, KEY] }, 'actors[1] is'],
    ['parameters that are a list', { params: [] }, 'params is []; accepted: an object'],
    [
      'empty blocks before full ones',
      { params: { block_interval_ms: 2000, empty_block_interval_ms: 1999 } },
      'params.empty_block_interval_ms is 1999; accepted: at least block_interval_ms (2000)'
    ],
    [
      'events that fit no block',
      { params: { max_block_bytes: 16384 } },
      'params.max_event_bytes is 16384; accepted: at most max_block_bytes − 1024 (15360)'
    ]
  ]

  test.each(faults)('%s', (_what, changes, message) => {
    expect(() => parse(changes)).toThrow(
      expect.objectContaining({ code: 'BAD_GENESIS', message: expect.stringContaining(`genesis: `) })
    )
    expect(() => parse(changes)).toThrow(message)
    expect(() => parse(changes)).not.toThrow('\n')
  })

  test.each(['-0', '1700000000000.0000001', '1.7e12', '1700000000000.0'])(
    'a number that others may read as another: %s',
    (number) => {
      const text = JSON.stringify(document()).replace(/"timestamp":\d+/, `"timestamp":${number}`)
      expect(() => parseGenesis(text)).toThrow(`genesis: timestamp is ${number}; accepted: whole numbers, written in`)
    }
  )

  test('128 validators are taken', () => {
    expect(parse({ validators: many(128) }).validators.size).toBe(128)
  })

  const texts: [what: string, text: string, message: string][] = [
    ['no JSON', '{', 'genesis: not JSON'],
    ['a list', '[]', 'the document is []; accepted: an object'],
    ['null', 'null', 'the document is null'],
    ['a key twice', '{"chain_id":"a","chain_id":"a"}', 'key "chain_id" is there twice'],
    ['a key twice, once escaped', '{"chain_id":"a","chain\\u005fid":"b"}', 'key "chain_id" is there twice'],
    ['a key twice, inside', '{"params":{"a":[{"b":1},{"b":2}],"a":1}}', 'key "a" is there twice'],
    ['a key twice after strings with braces', '{"x":"}{\\"\\\\","y":["{"],"x":1}', 'key "x" is there twice'],
    ['an endless text', ' '.repeat((16 << 20) + 1), 'the text has 16777217 characters']
  ]

  test.each(texts)('%s', (_what, text, message) => {
    expect(() => parseGenesis(text)).toThrow(message)
  })
})
