/**
 * Each signed and hashed layout is read back to what it was made of, by a reader that knows the protocol alone. What has
 * such an inverse gives different bytes for different messages, whatever they are: nobody can show the one for the other.
 */
import fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import {
  blockHash,
  eventMessage,
  type HelloSlot,
  helloMessage,
  manifestId,
  type ProposalSlot,
  proposalMessage,
  sealMessage,
  stateRootHash,
  type VoteSlot,
  voteMessage,
  voucherMessage
} from '../../src/chain/domain.ts'
import { eventId, resourceKey } from '../../src/chain/event.ts'
import { parseGenesis } from '../../src/chain/genesis.ts'
import { foldHead } from '../../src/chain/history.ts'
import { leafHash, nodeHash } from '../../src/chain/merkle.ts'
import { IndexTrie } from '../../src/chain/trie.ts'
import { ValidatorSet } from '../../src/chain/validators.ts'
import { toHex, utf8 } from '../../src/codec/bytes.ts'
import type { Header } from '../../src/codec/generated/chain.ts'
import { EventBody } from '../../src/codec/generated/event.ts'
import { Manifest } from '../../src/codec/generated/snapshot.ts'
import { sha256 } from '../../src/crypto/sha256.ts'
import * as arbitrary from '../codec/arbitraries.ts'
import { runs } from '../support/runs.ts'
import { testChain } from './fixture.ts'
import { LayoutReader } from './support/layout-reader.ts'

const { hashed } = vi.hoisted(() => ({ hashed: [] as Uint8Array[] }))

// A tap: what goes into the hash is what has to be told apart.
vi.mock('../../src/crypto/sha256.ts', async (original) => {
  const real = await original<typeof import('../../src/crypto/sha256.ts')>()
  const seen = <Args extends unknown[], Result>(data: (args: Args) => Uint8Array, hash: (...args: Args) => Result) =>
    ((...args: Args) => {
      hashed.push(data(args).slice())
      return hash(...args)
    }) as typeof hash
  return {
    ...real,
    sha256: seen(([data]: [Uint8Array]) => data, real.sha256),
    sha256Into: seen(([, data]: [Uint8Array, Uint8Array, number?]) => data, real.sha256Into)
  }
})

afterEach(() => {
  hashed.length = 0
})

/** What was hashed last. */
function preimage(_hash: unknown): Uint8Array {
  return hashed.at(-1) as Uint8Array
}

/** Byte strings that are easily taken for one another: the zeros that once stood for nil among them. */
const hash = fc.oneof(
  fc.constantFrom(0, 1, 0xff).map((byte) => new Uint8Array(32).fill(byte)),
  fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => new Uint8Array(bytes))
)
const u32 = fc.oneof(fc.constantFrom(0, 1, 0xff, 0x100, 0xffff_fffe, 0xffff_ffff), fc.nat(0xffff_ffff))
const u64 = fc.oneof(fc.constantFrom(0, 1, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER), fc.maxSafeNat())

const vote: fc.Arbitrary<VoteSlot> = fc.record({
  type: fc.constantFrom('PREVOTE' as const, 'PRECOMMIT' as const),
  height: u64,
  round: u32,
  blockHash: fc.oneof(fc.constant(new Uint8Array(0)), hash)
})

/** As accepted: a valid round is below the round. */
const proposal: fc.Arbitrary<ProposalSlot> = fc
  .record({ height: u64, round: u32, before: fc.option(u32), blockHash: hash })
  .map(({ before, ...slot }) => ({
    ...slot,
    validRound: before === null || slot.round === 0 ? undefined : before % slot.round
  }))

const hello: fc.Arbitrary<HelloSlot> = fc.record({
  role: fc.constantFrom(1 as const, 2 as const),
  initiatorNonce: hash,
  responderNonce: hash,
  initiatorPeerId: fc.uint8Array({ maxLength: 40 }),
  responderPeerId: fc.uint8Array({ maxLength: 40 })
})

const header = fc
  .tuple(arbitrary.header, fc.array(hash, { minLength: 7, maxLength: 7 }))
  .map(([fields, [a, b, c, d, e, f, g]]) => ({
    ...fields,
    ...{ parentHash: a, eventsRoot: b, mmrRoot: c, stateRoot: d, validatorsHash: e, nextValidatorsHash: f, proposer: g }
  })) as fc.Arbitrary<Header>

const items = fc.array(fc.record({ kind: fc.constant('EMPTY'), key: fc.constant(new Uint8Array(0)) }), { maxLength: 2 })
const manifest = fc
  .record({ eventTotal: u64, roots: fc.array(hash), peaks: fc.array(hash), tops: fc.tuple(items, items, items) })
  .map(({ eventTotal, roots, peaks, tops }) => {
    const top = (list: (typeof tops)[number]) => ({
      items: list.map((item) => ({ ...item, count: 0, head: new Uint8Array(0), hash: new Uint8Array(0) }))
    })
    return {
      eventTotal,
      mmrSubtreeRoots: Buffer.concat(roots),
      mmrTailPeaks: Buffer.concat(peaks),
      actors: top(tops[0]),
      resources: top(tops[1]),
      actions: top(tops[2]),
      checkpointPath: new Uint8Array(0)
    } as unknown as Manifest
  })

const hexOf = (fields: object): object =>
  Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, value instanceof Uint8Array ? toHex(value) : value])
  )

interface Layout {
  /** What its bytes begin with. */
  readonly domain: string
  /** A message, its bytes, and what its bytes have to be read back to. */
  readonly made: (genesisHash: Uint8Array) => fc.Arbitrary<{ bytes: () => Uint8Array; meaning: unknown }>
  /** After domain and genesis hash. */
  readonly read: (from: LayoutReader) => unknown
}

function layout<Value>(
  domain: string,
  values: fc.Arbitrary<Value>,
  bytes: (genesisHash: Uint8Array, value: Value) => Uint8Array,
  read: (from: LayoutReader) => unknown,
  meaning: (value: Value) => unknown = (value) => hexOf(value as object)
): Layout {
  return {
    domain,
    made: (genesisHash) => values.map((value) => ({ bytes: () => bytes(genesisHash, value), meaning: meaning(value) })),
    read
  }
}

const SIGNED: readonly Layout[] = [
  layout(
    'moloch/event/v1',
    arbitrary.eventBody,
    (genesisHash, body) => eventMessage(genesisHash, EventBody.encode(body)),
    (from) => EventBody.decode(from.rest()),
    (body) => body
  ),
  layout(
    'moloch/seal/v1',
    hash.map((one) => ({ hash: one })),
    (g, seal) => sealMessage(g, seal.hash),
    (from) => ({
      hash: from.hash()
    })
  ),
  layout(
    'moloch/voucher/v1',
    hash.map((one) => ({ hash: one })),
    (g, events) => voucherMessage(g, events.hash),
    (from) => ({
      hash: from.hash()
    })
  ),
  layout('moloch/vote/v1', vote, voteMessage, (from) => ({
    type: [undefined, 'PREVOTE', 'PRECOMMIT'][from.uint(1)],
    height: from.uint(8),
    round: from.uint(4),
    blockHash: from.left === 0 ? '' : from.hash()
  })),
  layout('moloch/proposal/v1', proposal, proposalMessage, (from) => {
    const [height, round, next] = [from.uint(8), from.uint(4), from.uint(4)]
    return { height, round, validRound: next === 0 ? undefined : next - 1, blockHash: from.hash() }
  }),
  layout(
    'moloch/hello/v1',
    hello,
    helloMessage,
    (from) => [from.uint(1), from.hash(), from.hash(), from.hash(), from.hash()],
    ({ role, initiatorNonce, responderNonce, initiatorPeerId, responderPeerId }) => [
      role,
      ...[initiatorNonce, responderNonce, sha256(initiatorPeerId), sha256(responderPeerId)].map(toHex)
    ]
  )
]

const HASHED: readonly Layout[] = [
  layout(
    'moloch/header/v1',
    header,
    (g, fields) => preimage(blockHash(g, fields)),
    (from) => ({
      version: from.uint(4),
      height: from.uint(8),
      parentHash: from.hash(),
      eventsRoot: from.hash(),
      eventCount: from.uint(4),
      mmrRoot: from.hash(),
      stateRoot: from.hash(),
      validatorsHash: from.hash(),
      nextValidatorsHash: from.hash(),
      timestamp: from.uint(8),
      proposer: from.hash()
    })
  ),
  layout(
    'moloch/manifest/v1',
    fc.tuple(hash, manifest),
    (g, [block, body]) => preimage(manifestId(g, block, Manifest.encode(body))),
    (from) => [from.hash(), toHex(Manifest.encode(Manifest.decode(from.rest())))],
    ([block, body]) => [toHex(block), toHex(Manifest.encode(body))]
  )
]

describe.each([...SIGNED, ...HASHED])('$domain', ({ domain, made, read }) => {
  test('is read back to what it was made of', () => {
    const made1 = hash.chain((genesisHash) => made(genesisHash).map((one) => ({ ...one, genesisHash })))
    fc.assert(
      fc.property(made1, ({ bytes, meaning, genesisHash }) => {
        const from = new LayoutReader(bytes())
        expect(from.skips(domain)).toBe(true)
        expect(from.hash()).toBe(toHex(genesisHash))
        expect(read(from)).toEqual(meaning)
        expect(from.left).toBe(0)
      }),
      runs(300)
    )
  })
})

test('no domain begins another, so no message of one layout is one of another', () => {
  const domains = [...SIGNED, ...HASHED].map(({ domain }) => domain)
  domains.push('moloch/state/v1', 'moloch/validators/v1', 'moloch/genesis/v1')
  for (const a of domains) expect(domains.filter((b) => b.startsWith(a))).toEqual([a])
})

test('what is not as long as the layout has it, or too large a number, has no bytes', () => {
  const good = new Uint8Array(32)
  const fields = { version: 1, height: 1, eventCount: 0, timestamp: 1 }
  const hashes = [
    'parentHash',
    'eventsRoot',
    'mmrRoot',
    'stateRoot',
    'validatorsHash',
    'nextValidatorsHash',
    'proposer'
  ]
  const whole = { ...fields, ...Object.fromEntries(hashes.map((name) => [name, good])) } as unknown as Header
  expect(() => blockHash(good, whole)).not.toThrow()
  for (const length of [0, 1, 31, 33, 64]) {
    const bad = new Uint8Array(length)
    const refused = [
      () => blockHash(bad, whole),
      ...hashes.map((name) => () => blockHash(good, { ...whole, [name]: bad })),
      () => eventMessage(bad, good),
      () => sealMessage(good, bad),
      () => proposalMessage(good, { height: 1, round: 0, blockHash: bad }),
      () => helloMessage(good, { ...HELLO, initiatorNonce: bad }),
      () => helloMessage(good, { ...HELLO, responderNonce: bad }),
      () => stateRootHash(1, bad, good, good, good),
      () => stateRootHash(1, good, good, good, bad),
      () => manifestId(good, bad, good)
    ]
    if (length > 0) refused.push(() => voteMessage(good, { type: 'PREVOTE', height: 1, round: 0, blockHash: bad }))
    for (const make of refused) expect(make).toThrow(RangeError)
  }
  for (const round of [-1, 0.5, 2 ** 32]) {
    expect(() => voteMessage(good, { type: 'PREVOTE', height: 1, round, blockHash: good })).toThrow(RangeError)
    expect(() => blockHash(good, { ...whole, eventCount: round })).toThrow(RangeError)
  }
  const last = { height: 1, round: 0xffff_ffff, validRound: 0xffff_ffff, blockHash: good }
  expect(() => proposalMessage(good, last)).toThrow(RangeError)
})

const HELLO: HelloSlot = {
  role: 1,
  initiatorNonce: new Uint8Array(32),
  responderNonce: new Uint8Array(32),
  initiatorPeerId: new Uint8Array(1),
  responderPeerId: new Uint8Array(1)
}

/** Hashed without a domain: a first byte says what it is, and its length what of it. */
describe('tree nodes', () => {
  test('events, blocks, inner nodes, keys and links are told apart and read back', () => {
    const event = fc.tuple(hash, fc.uint8Array({ minLength: 64, maxLength: 64 }), fc.uint8Array({ minLength: 1 }))
    fc.assert(
      fc.property(hash, hash, u64, event, (a, b, count, [actor, signature, body]) => {
        const leaf = new LayoutReader(preimage(eventId(actor, signature, body)))
        expect([leaf.uint(1), leaf.hash(), toHex(leaf.take(64)), toHex(leaf.rest())]).toEqual([
          0,
          ...[actor, signature, body].map(toHex)
        ])
        const block = new LayoutReader(preimage(leafHash(a)))
        expect([block.uint(1), block.hash(), block.left]).toEqual([0, toHex(a), 0])
        const link = new LayoutReader(preimage(foldHead({ prevHead: a, ids: [b] })))
        expect([link.uint(1), link.hash(), link.hash(), link.left]).toEqual([2, toHex(a), toHex(b), 0])
        const node = new LayoutReader(preimage(nodeHash(a, b)))
        expect([node.uint(1), node.hash(), node.hash(), node.left]).toEqual([1, toHex(a), toHex(b), 0])
        const trie = new IndexTrie()
        trie.set(a, { count, head: b })
        const key = new LayoutReader(preimage(trie.root()))
        expect([key.uint(1), key.hash(), key.uint(8), key.hash(), key.left]).toEqual([0, toHex(a), count, toHex(b), 0])
      }),
      runs(100)
    )
  })

  test('state root, validators hash and genesis hash', () => {
    fc.assert(
      fc.property(u64, fc.uniqueArray(hash, { minLength: 4, maxLength: 4, selector: toHex }), (total, roots) => {
        const [a, b, c, d] = roots as [Uint8Array, Uint8Array, Uint8Array, Uint8Array]
        const state = new LayoutReader(preimage(stateRootHash(total, a, b, c, d)))
        expect(state.skips('moloch/state/v1')).toBe(true)
        expect([state.uint(8), ...[a, b, c, d].map(() => state.hash()), state.left]).toEqual([
          total,
          ...roots.map(toHex),
          0
        ])
        const set = new ValidatorSet(roots.map((publicKey, i) => ({ name: `v${i}`, publicKey })))
        const validators = new LayoutReader(preimage(set.hash))
        expect(validators.skips('moloch/validators/v1')).toBe(true)
        expect(roots.map(() => validators.hash())).toEqual(roots.map(toHex))
      }),
      runs(50)
    )
    const { json } = testChain().genesis
    parseGenesis(json)
    const found = hashed.map((one) => new LayoutReader(one)).find((one) => one.skips('moloch/genesis/v1'))
    expect(new TextDecoder().decode(found?.rest())).toBe(json)
  })

  test('keys of resources', () => {
    const kind = fc.stringMatching(/^[a-z0-9._-]{1,32}$/)
    const id = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(kind, id, (of, name) => {
        const key = resourceKey(of, name)
        const end = key.indexOf(0)
        expect([key.subarray(0, end), key.subarray(end + 1)]).toEqual([utf8(of), utf8(name)])
      }),
      runs(100)
    )
  })
})
