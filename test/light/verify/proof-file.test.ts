import { describe, expect, test } from 'vitest'
import { fromHex, toHex } from '../../../src/codec/bytes.ts'
import { MolochError } from '../../../src/error.ts'
import { parseProofFile } from '../../../src/light/verify/parse-proof.ts'
import { type ProofJson, proofToJson } from '../../../src/light/verify/proof-json.ts'
import { verifyProofFile } from '../../../src/light/verify/verify-file.ts'
import { ServedChain } from '../support/served-chain.ts'

const chain = new ServedChain(9)
const other = new ServedChain(9, { seed: 2 })
const { genesis } = chain

const event = (height = 4, anchor = 8, of = chain): ProofJson =>
  proofToJson(of.genesis, {
    kind: 'event',
    proof: of.eventProof(height, 2, anchor),
    anchor: of.anchor(anchor === 0 ? height : anchor)
  })
const header = (height = 4, anchor = 8): ProofJson =>
  proofToJson(genesis, {
    kind: 'header',
    proof: chain.headerProof(height, anchor),
    anchor: chain.anchor(anchor === 0 ? height : anchor)
  })
const consistency = (): ProofJson =>
  proofToJson(genesis, {
    kind: 'consistency',
    proof: chain.consistencyProof(3, 8),
    from: chain.header(3),
    to: chain.header(8)
  })
const trust = [chain.anchor(3), chain.anchor(8)]

function check(json: unknown, options: { trust?: typeof trust; eventId?: Uint8Array; genesis?: typeof genesis } = {}) {
  const file = parseProofFile(JSON.stringify(json))
  const result = verifyProofFile(file, { genesis, trust, ...options })
  return result.ok ? 'ok' : result.code
}

describe('a proof file', () => {
  test('of each kind is read back as it was and verifies', () => {
    for (const json of [event(), header(), consistency()]) expect(check(json)).toBe('ok')
    for (const json of [event(8, 0), header(8, 0)]) {
      expect(json).not.toHaveProperty('anchor.header')
      expect(check(json)).toBe('ok')
    }
    expect(check(header(0, 8))).toBe('ok')
    expect(parseProofFile(JSON.stringify(event()))).toMatchObject({
      kind: 'event',
      chainId: genesis.chainId,
      genesisHash: genesis.hash,
      anchor: chain.anchor(8),
      eventId: chain.eventId(4, 2),
      proof: chain.eventProof(4, 2, 8)
    })
    expect(parseProofFile(JSON.stringify(consistency()))).toMatchObject({ proof: chain.consistencyProof(3, 8) })
  })

  test('has this form', () => {
    const json = event()
    expect(Object.keys(json)).toEqual([
      'format',
      'chain_id',
      'genesis_hash',
      'kind',
      'anchor',
      'event',
      'header',
      'mmr_path'
    ])
    expect(json).toMatchObject({
      format: 'moloch-proof/1',
      chain_id: 'test-1',
      genesis_hash: toHex(genesis.hash),
      kind: 'event',
      anchor: { height: 8, hash: toHex(chain.anchor(8).hash), header: { height: 8 } },
      event: {
        id: toHex(chain.eventId(4, 2)),
        bytes: Buffer.from(chain.events(4)[2] as Uint8Array).toString('base64'),
        index: 2,
        count: 5
      },
      header: { version: 1, height: 4, event_count: 5, proposer: toHex(chain.header(4).proposer) }
    })
  })

  test('is refused for what it is not wanted for', () => {
    const eventId = chain.eventId(4, 2)
    expect(check(event(), { eventId })).toBe('ok')
    expect(check(event(), { eventId: chain.eventId(4, 1) })).toBe('PROOF_WRONG_EVENT')
    expect(check(header(), { eventId })).toBe('PROOF_WRONG_KIND')
    expect(check(event(), { trust: [] })).toBe('PROOF_WRONG_ANCHOR')
    expect(check(event(), { trust: [chain.anchor(9)] })).toBe('PROOF_WRONG_ANCHOR')
    expect(check(event(), { trust: [{ ...chain.anchor(8), hash: chain.anchor(9).hash }] })).toBe('PROOF_WRONG_ANCHOR')
    // Of a header that nobody vouches for nothing but its mmr_root would be bound.
    expect(check(consistency(), { trust: [chain.anchor(8)] })).toBe('PROOF_WRONG_ANCHOR')
    expect(check(consistency(), { trust: [chain.anchor(3)] })).toBe('PROOF_WRONG_ANCHOR')
    for (const json of [event(), header(), consistency()]) {
      expect(check(json, { genesis: other.genesis })).toBe('PROOF_WRONG_CHAIN')
    }
    expect(check({ ...event(4, 8, other), chain_id: genesis.chainId })).toBe('PROOF_WRONG_CHAIN')
  })

  test('that says another id than its event has', () => {
    const json = event() as Extract<ProofJson, { kind: 'event' }>
    json.event.id = toHex(chain.eventId(4, 1))
    expect(check(json)).toBe('PROOF_WRONG_EVENT')
  })
})

describe('what is no proof file', () => {
  type Json = Record<string, unknown>
  const changed = (
    change: (json: { [key: string]: Json & { header?: Json } } & { header: Json } & Json) => void,
    of = event
  ): string => {
    const json = structuredClone(of()) as never
    change(json)
    return JSON.stringify(json)
  }
  const cases: [string, string, RegExp][] = [
    ['no JSON', '{', /^proof: not JSON/],
    ['no object', '[]', /the document is \[\]; accepted: an object/],
    [
      'another format',
      changed((json) => Object.assign(json, { format: 'x' })),
      /format is "x"; accepted: "moloch-proof\/1"/
    ],
    ['another kind', changed((json) => Object.assign(json, { kind: 'x' })), /kind is "x"; accepted: "event", "header"/],
    ['an unknown key', changed((json) => Object.assign(json, { extra: 1 })), /unknown key "extra" in the document/],
    ['a key of another kind', changed((json) => Object.assign(json, { path: [] })), /unknown key "path"/],
    [
      'an unknown key inside',
      changed((json) => Object.assign(json.header, { seal: '' })),
      /unknown key "seal" in header/
    ],
    ['a key twice', changed(() => {}).replace('"kind"', '"kind":"event","kind"'), /key "kind" is there twice/],
    ['no chain', changed((json) => delete json.chain_id), /chain_id is missing; accepted: a string/],
    [
      'a short hash',
      changed((json) => Object.assign(json, { genesis_hash: '00' })),
      /genesis_hash is "00"; accepted: 64/
    ],
    [
      'uppercase hex',
      changed((json) => Object.assign(json.anchor as Json, { hash: 'AA'.repeat(32) })),
      /anchor\.hash is .*64 lowercase hex digits/
    ],
    [
      'a height as text',
      changed((json) => Object.assign(json.header, { height: '4' })),
      /header\.height is "4"; accepted: an integer/
    ],
    ['a count below 0', changed((json) => Object.assign(json.header, { event_count: -1 })), /event_count is -1/],
    [
      'a version of 2^32',
      changed((json) => Object.assign(json.header, { version: 2 ** 32 })),
      /header\.version is 4294967296/
    ],
    ['no anchor', changed((json) => delete json.anchor), /anchor is missing/],
    ['no header of the anchor', changed((json) => delete json.anchor?.header), /anchor\.header is missing/],
    [
      "the block's own header as the anchor's",
      changed((json) => Object.assign(json.anchor as Json, { height: 4 })),
      /anchor\.header is there though/
    ],
    [
      "another height than the anchor's",
      changed((json) => Object.assign(json.anchor as Json, { height: 7 })),
      /anchor\.header\.height is 8; accepted: anchor\.height, 7/
    ],
    [
      'no base64',
      changed((json) => Object.assign(json.event as Json, { bytes: '?' })),
      /event\.bytes is "\?"; accepted: base64/
    ],
    [
      'base64 with spare bits',
      changed((json) => Object.assign(json.event as Json, { bytes: 'AB==' })),
      /event\.bytes is "AB=="/
    ],
    [
      'bytes that are no event',
      changed((json) => Object.assign(json.event as Json, { bytes: 'AAAA' })),
      /event\.bytes are no canonical SignedEvent/
    ],
    [
      'a path that is no list',
      changed((json) => Object.assign(json, { mmr_path: {} })),
      /mmr_path is \{\}; accepted: a list/
    ],
    ['a path with no hash', changed((json) => Object.assign(json, { mmr_path: [1] })), /mmr_path\[0\] is 1/],
    [
      'a path without end',
      changed((json) => Object.assign(json, { mmr_path: Array(65).fill('00'.repeat(32)) })),
      /at most 64 hashes/
    ],
    [
      'another height than the end has',
      changed((json) => Object.assign(json.from as Json, { height: 4 }), consistency),
      /from\.header\.height is 3; accepted: from\.height, 4/
    ],
    ['a text without end', ' '.repeat((1 << 20) + 1), /accepted: at most 1048576/]
  ]
  test.each(cases)('%s', (_, text, pattern) => {
    try {
      parseProofFile(text)
      expect.unreachable()
    } catch (error) {
      expect(error).toBeInstanceOf(MolochError)
      expect(error).toMatchObject({ code: 'PROOF_MALFORMED', message: expect.stringMatching(pattern) })
      expect((error as Error).message).not.toContain('\n')
    }
  })
})

test('hex of a file is what toHex writes', () => {
  expect(fromHex(event().genesis_hash, 32)).toEqual(genesis.hash)
})
