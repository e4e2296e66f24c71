import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { foldHead, MAX_PAGE_IDS } from '../../../src/chain/history.ts'
import type { HistoryProof } from '../../../src/codec/generated/proof.ts'
import { sha256 } from '../../../src/crypto/sha256.ts'
import type { Anchor } from '../../../src/light/verify/anchor.ts'
import { type HistoryKey, historyKey } from '../../../src/light/verify/history-key.ts'
import { verifyHistoryPage, verifyHistoryProof, verifyHistoryStart } from '../../../src/light/verify/history-proof.ts'
import { LONG_HISTORY, onlyKey } from '../../support/histories.ts'
import { runs } from '../../support/runs.ts'
import { ServedChain } from '../support/served-chain.ts'

type Bytes = Uint8Array<ArrayBuffer>

const chain = new ServedChain(16, { eventsPerBlock: 4, actors: 3, resources: 5, params: { snapshotInterval: 5 } })
const { genesis } = chain
const ANCHOR = 15
const anchor = chain.anchor(ANCHOR)
const actor = chain.histories.keys(ANCHOR)[0] as HistoryKey
const absent = historyKey({ action: 'never' })
const proof = chain.historyProof(actor, ANCHOR)

const outcome = (changed: HistoryProof, key = actor, under: Anchor = anchor): string => {
  const result = verifyHistoryProof(changed, under, genesis, key)
  return result.ok ? 'ok' : `${result.code} at ${result.step}`
}

const withIds = (change: (ids: Bytes[]) => Bytes[]): HistoryProof => {
  const { prevHead, ids } = proof.pages[0] as HistoryProof['pages'][0]
  return { ...proof, pages: [{ prevHead, ids: change([...ids]) }] }
}

const KEY_PATH = 'PROOF_KEY_PATH at key_path'
const LENGTH = 'PROOF_HISTORY_LENGTH at history_length'
const PAGE = 'PROOF_HISTORY_PAGE at history_page'

describe('a history', () => {
  test('of every key, under every state, is the list of its events; of any other it is empty', () => {
    for (const height of [5, 10, 15]) {
      for (const key of [...chain.histories.keys(16), absent]) {
        const result = verifyHistoryProof(chain.historyProof(key, height), chain.anchor(height), genesis, key)
        expect(result.ok ? result.ids : result.message).toEqual(chain.histories.idsOf(key, height))
        expect(result.steps.map(({ step }) => step)).toEqual([
          'form',
          'anchor',
          'key_path',
          'history_length',
          ...(result.ok && result.ids.length > 0 ? ['history_page'] : [])
        ])
      }
    }
  })

  test.each<[string, string, () => string]>([
    ['without an event', LENGTH, () => outcome(withIds((ids) => ids.slice(1)))],
    ['without its newest event', LENGTH, () => outcome(withIds((ids) => ids.slice(0, -1)))],
    ['with an event more', LENGTH, () => outcome(withIds((ids) => [...ids, sha256(ids[0] as Bytes)]))],
    ['with an event twice', LENGTH, () => outcome(withIds((ids) => [...ids, ids.at(-1) as Bytes]))],
    ['with another event', PAGE, () => outcome(withIds(([first, ...rest]) => [sha256(first as Bytes), ...rest]))],
    ['in another order', PAGE, () => outcome(withIds(([one, two, ...rest]) => [two as Bytes, one as Bytes, ...rest]))],
    ['that begins later', PAGE, () => outcome({ ...proof, pages: [{ ...page(), prevHead: sha256(page().prevHead) }] })],
    ['without its page', LENGTH, () => outcome({ ...proof, pages: [] })],
    ['with a page twice', LENGTH, () => outcome({ ...proof, pages: [page(), page()] })],
    [
      'with an empty page',
      LENGTH,
      () => outcome({ ...proof, pages: [page(), { prevHead: new Uint8Array(32), ids: [] }] })
    ],
    ['of another key', KEY_PATH, () => outcome(proof, chain.histories.keys(ANCHOR)[1])],
    ['of another index', KEY_PATH, () => outcome(proof, { ...actor, index: 1 })],
    [
      'that says that it is absent',
      KEY_PATH,
      () => outcome({ ...chain.historyProof(absentActor(), ANCHOR), pages: [] })
    ],
    [
      'of a key that is absent, with events',
      LENGTH,
      () => outcome({ ...chain.historyProof(absent, ANCHOR), pages: [page()] }, absent)
    ],
    ['of another state', 'PROOF_WRONG_ANCHOR at anchor', () => outcome(chain.historyProof(actor, 10))],
    [
      'of another state by this name',
      KEY_PATH,
      () => outcome({ ...chain.historyProof(actor, 10), anchorHeight: ANCHOR })
    ],
    [
      'under a header that repeats the state before',
      'PROOF_WRONG_ANCHOR at anchor',
      () => outcome({ ...proof, anchorHeight: 16 }, actor, chain.anchor(16))
    ],
    [
      'under another chain',
      'PROOF_WRONG_ANCHOR at anchor',
      () => outcome(proof, actor, new ServedChain(15, { seed: 9, params: { snapshotInterval: 5 } }).anchor(ANCHOR))
    ],
    ['without a state', 'PROOF_MALFORMED at form', () => outcome({ ...proof, state: undefined } as never)],
    [
      'with a third root',
      'PROOF_MALFORMED at form',
      () => outcome(withState(({ otherRoots }) => ({ otherRoots: [...otherRoots, new Uint8Array(32)] })))
    ],
    [
      'with its roots swapped',
      KEY_PATH,
      () => outcome(withState(({ otherRoots }) => ({ otherRoots: otherRoots.toReversed() })))
    ],
    ['with a path too short', KEY_PATH, () => outcome(withState(({ siblings }) => ({ siblings: siblings.slice(1) })))],
    [
      'with a path too long',
      KEY_PATH,
      () => outcome(withState(({ siblings }) => ({ siblings: [...siblings, new Uint8Array(32)] })))
    ],
    [
      'with a path of any length',
      'PROOF_MALFORMED at form',
      () => outcome(withState(() => ({ siblings: Array(257).fill(new Uint8Array(32)) })))
    ],
    [
      'with a leaf of no events',
      'PROOF_MALFORMED at form',
      () => outcome(withState(({ leaf }) => ({ leaf: { ...(leaf as Leaf), count: 0 } })))
    ],
    [
      'with a leaf of more events',
      KEY_PATH,
      () => outcome(withState(({ leaf }) => ({ leaf: { ...(leaf as Leaf), count: 99 } })))
    ],
    ['with another total', KEY_PATH, () => outcome(withState(({ eventTotal }) => ({ eventTotal: eventTotal + 1 })))],
    [
      'with a short id',
      'PROOF_MALFORMED at form',
      () => outcome(withIds(([first, ...rest]) => [(first as Bytes).slice(1), ...rest]))
    ],
    [
      'with a short head',
      'PROOF_MALFORMED at form',
      () => outcome({ ...proof, pages: [{ ...page(), prevHead: new Uint8Array(31) }] })
    ]
  ])('%s: %s', (_, code, check) => {
    expect(check()).toBe(code)
  })

  test('of no sense at all does not make it throw', () => {
    const values = fc.anything({ maxDepth: 4, withTypedArray: true })
    fc.assert(
      fc.property(values, values, values, (one, two, three) => {
        for (const changed of [
          one,
          { ...proof, state: one },
          { ...proof, pages: two },
          withState(() => ({ leaf: three as never }))
        ]) {
          const result = (() => {
            try {
              return verifyHistoryProof((changed ?? {}) as never, anchor, genesis, actor).ok
            } catch (error) {
              return String(error)
            }
          })()
          expect(result).toBe(changed === proof)
        }
      }),
      runs(300)
    )
  })
})

type Leaf = NonNullable<NonNullable<HistoryProof['state']>['leaf']>

function page(): HistoryProof['pages'][0] {
  return proof.pages[0] as HistoryProof['pages'][0]
}

function withState(change: (state: NonNullable<HistoryProof['state']>) => object): HistoryProof {
  const state = proof.state as NonNullable<HistoryProof['state']>
  return { ...proof, state: { ...state, ...change(state) } }
}

function absentActor(): HistoryKey {
  return historyKey({ actor: sha256(actor.key) })
}

describe('a history of several pages', () => {
  const key = historyKey({ action: 'often' })
  const { anchor: under, proof: long } = onlyKey(genesis, anchor.header, key, LONG_HISTORY)
  const { pages, state } = long

  test('holds with all of them, and with no other number or order', () => {
    expect(pages.map((one) => one.ids.length)).toEqual([3, MAX_PAGE_IDS, MAX_PAGE_IDS])
    const result = verifyHistoryProof(long, under, genesis, key)
    expect(result.ok ? result.ids : result.message).toEqual(LONG_HISTORY)
    const [first, second, third] = pages as [(typeof pages)[0], (typeof pages)[0], (typeof pages)[0]]
    expect(outcome({ ...long, pages: [first, second] }, key, under)).toBe(LENGTH)
    expect(outcome({ ...long, pages: [first, third] }, key, under)).toBe(LENGTH)
    expect(outcome({ ...long, pages: [first, third, second] }, key, under)).toBe(PAGE)
    expect(outcome({ ...long, pages: [second, third] }, key, under)).toBe(LENGTH)
    expect(outcome({ ...long, pages: [first, second, third, third] }, key, under)).toBe(LENGTH)
    // The same list, cut in another place.
    const cut = [
      {
        prevHead: foldHead({ prevHead: second.prevHead, ids: second.ids.slice(0, -1) }) as Bytes,
        ids: [...second.ids.slice(-1), ...first.ids]
      }
    ]
    expect(outcome({ ...long, pages: [...cut, { ...second, ids: second.ids.slice(0, -1) }, third] }, key, under)).toBe(
      LENGTH
    )
  })

  test('is checked page by page', () => {
    const start = verifyHistoryStart({ ...long, pages: pages.slice(0, 1) }, under, genesis, key)
    expect(start).toMatchObject({ ok: true, left: { count: 2 * MAX_PAGE_IDS, head: pages[0]?.prevHead } })
    const known = { count: 2 * MAX_PAGE_IDS, head: pages[0]?.prevHead as Bytes }
    const at = (changed: HistoryProof['pages'], rest: Partial<HistoryProof> = {}) => {
      const result = verifyHistoryPage({ anchorHeight: under.height, pages: changed, ...rest }, under.height, known)
      return result.ok ? (result.left?.count ?? 0) : result.code
    }
    expect(at([pages[1] as (typeof pages)[0]])).toBe(MAX_PAGE_IDS)
    expect(at([pages[2] as (typeof pages)[0]])).toBe('PROOF_HISTORY_PAGE')
    expect(at([pages[0] as (typeof pages)[0]])).toBe('PROOF_HISTORY_LENGTH')
    expect(at([])).toBe('PROOF_HISTORY_LENGTH')
    expect(at(pages.slice(1))).toBe('PROOF_HISTORY_LENGTH')
    expect(at(pages.slice(1, 2), { state })).toBe('PROOF_MALFORMED')
    expect(at(pages.slice(1, 2), { anchorHeight: 1 })).toBe('PROOF_WRONG_ANCHOR')
    const last = verifyHistoryPage({ anchorHeight: under.height, pages: pages.slice(2) }, under.height, {
      count: MAX_PAGE_IDS,
      head: pages[1]?.prevHead as Bytes
    })
    expect(last).toMatchObject({ ok: true, left: undefined })
  })
})
