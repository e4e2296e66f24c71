import { describe, expect, test } from 'vitest'
import { MolochError } from '../../../src/error.ts'
import { type HistoryKey, historyKey, type NamedKey } from '../../../src/light/verify/history-key.ts'
import { MAX_HISTORY_CHARS, parseProofFile } from '../../../src/light/verify/parse-proof.ts'
import { type HistoryProofJson, type ProofJson, proofToJson } from '../../../src/light/verify/proof-json.ts'
import { verifyProofFile } from '../../../src/light/verify/verify-file.ts'
import { ServedChain } from '../support/served-chain.ts'

const chain = new ServedChain(9, { params: { snapshotInterval: 4 } })
const { genesis } = chain
const actor = chain.histories.keys(8)[0] as HistoryKey
const never: NamedKey = { resource: { kind: 'none', id: 'such:ñ' } }

const file = (key: HistoryKey, of = chain): HistoryProofJson =>
  proofToJson(of.genesis, {
    kind: 'history',
    proof: of.historyProof(key, 8),
    anchor: of.anchor(8),
    key
  }) as HistoryProofJson

function check(json: ProofJson, options: Partial<Parameters<typeof verifyProofFile>[1]> = {}): string {
  const read = parseProofFile(JSON.stringify(json))
  const result = verifyProofFile(read, { genesis, trust: [chain.anchor(8)], ...options })
  return result.ok ? 'ok' : result.code
}

describe('a history file', () => {
  test('is read back as it was and verifies, for keys of each index', () => {
    for (const key of [...chain.histories.keys(8), historyKey(never), historyKey({ action: 'never' })]) {
      const json = file(key)
      expect(parseProofFile(JSON.stringify(json))).toMatchObject({
        kind: 'history',
        anchor: chain.anchor(8),
        key: { index: key.index, key: new Uint8Array(key.key) },
        proof: chain.historyProof(key, 8)
      })
      expect(check(json, { key })).toBe('ok')
    }
    expect(file(historyKey(never)).key).toEqual(never)
  })

  test('is of the chain, anchor and key that are asked for', () => {
    const json = file(actor)
    expect(check(json, { trust: [chain.anchor(4)] })).toBe('PROOF_WRONG_ANCHOR')
    expect(check(file(actor, new ServedChain(9, { seed: 3, params: { snapshotInterval: 4 } })))).toBe(
      'PROOF_WRONG_CHAIN'
    )
    expect(check(json, { key: historyKey(never) })).toBe('PROOF_WRONG_KEY')
    expect(check(json, { key: { ...actor, index: 2 } })).toBe('PROOF_WRONG_KEY')
    expect(check(json, { eventId: chain.eventId(4, 2) })).toBe('PROOF_WRONG_KIND')
    const header = { kind: 'header', proof: chain.headerProof(4, 8), anchor: chain.anchor(8) } as const
    expect(check(proofToJson(genesis, header), { key: actor })).toBe('PROOF_WRONG_KIND')
  })

  test('that is the first page of more is read, and proves nothing by itself', () => {
    const json = file(actor)
    expect(check({ ...json, pages: [] })).toBe('PROOF_HISTORY_LENGTH')
  })

  test('that is long is read if that much is wanted', () => {
    const json = file(actor)
    const [page] = json.pages as [HistoryProofJson['pages'][0]]
    const text = JSON.stringify({ ...json, pages: Array(5).fill({ ...page, ids: Array(4096).fill(page.ids[0]) }) })
    expect(() => parseProofFile(text)).toThrow(/at most 1048576/)
    expect(parseProofFile(text, MAX_HISTORY_CHARS)).toMatchObject({ kind: 'history' })
  })

  const cases: [string, object, RegExp][] = [
    ['no key', { key: undefined }, /key is missing/],
    ['two keys', { key: { actor: '00'.repeat(32), action: 'a' } }, /accepted: one of actor, resource and action/],
    ['a key of no index', { key: { block: 1 } }, /unknown key "block" in key/],
    ['a short actor', { key: { actor: '00' } }, /key\.actor is "00"/],
    ['an action that is no text', { key: { action: 7 } }, /key\.action is 7/],
    ['an action without end', { key: { action: 'a'.repeat(65) } }, /accepted: a key of at most 64 bytes/],
    ['an action that is no UTF-8', { key: { action: '\ud800' } }, /accepted: a key of/],
    ['a resource with a zero byte', { key: { resource: { kind: 'a\0b', id: 'c' } } }, /accepted: a key of/],
    ['a resource without an id', { key: { resource: { kind: 'a' } } }, /key\.resource\.id is missing/],
    ['no state', { state: null }, /state is null/],
    [
      'a leaf of no events',
      { state: { ...file(actor).state, leaf: { ...file(actor).state.leaf, count: 0 } } },
      /leaf\.count is 0/
    ],
    ['no leaf', { state: { ...file(actor).state, leaf: undefined } }, /state\.leaf is missing/],
    ['one root', { state: { ...file(actor).state, other_roots: [] } }, /other_roots is \[\]; accepted: a list of 2/],
    [
      'a path without end',
      { state: { ...file(actor).state, siblings: Array(257).fill('00'.repeat(32)) } },
      /at most 256 hashes/
    ],
    ['no pages', { pages: {} }, /pages is \{\}; accepted: a list of pages/],
    ['a page without its head', { pages: [{ ids: [] }] }, /pages\[0\]\.prev_head is missing/],
    [
      'a page without end',
      { pages: [{ prev_head: '00'.repeat(32), ids: Array(4097).fill('00'.repeat(32)) }] },
      /at most 4096/
    ],
    ['no header of the anchor', { anchor: { height: 8, hash: '00'.repeat(32) } }, /anchor\.header is missing/],
    [
      'another height than the anchor’s',
      { anchor: { ...file(actor).anchor, height: 4 } },
      /anchor\.header\.height is 8/
    ],
    ['a path of another kind', { mmr_path: [] }, /unknown key "mmr_path"/]
  ]
  test.each(cases)('%s: is none', (_, change, pattern) => {
    const text = JSON.stringify({ ...file(actor), ...change })
    try {
      parseProofFile(text)
      expect.unreachable()
    } catch (error) {
      expect(error).toBeInstanceOf(MolochError)
      expect(error).toMatchObject({ code: 'PROOF_MALFORMED', message: expect.stringMatching(pattern) })
    }
  })
})
