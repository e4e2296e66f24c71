import fc from 'fast-check'
import { expect, test } from 'vitest'
import { checkHistoryPage, foldHead, MAX_PAGE_IDS } from '../../src/chain/history.ts'
import { u32be } from '../../src/codec/bytes.ts'
import { sha256 } from '../../src/crypto/sha256.ts'
import { runs } from '../support/runs.ts'

const ZERO = new Uint8Array(32)
const IDS = Array.from({ length: 60 }, (_, i) => sha256(u32be(i)))

test('pages of any size, taken backwards, come to nothing exactly when the list is complete', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 20 }), (total, size) => {
      const ids = IDS.slice(0, total)
      let known = { count: total, head: foldHead({ prevHead: ZERO, ids }) }
      for (let end = total; end > 0; end -= size) {
        const start = Math.max(0, end - size)
        const prevHead = foldHead({ prevHead: ZERO, ids: ids.slice(0, start) })
        const next = checkHistoryPage(known, { prevHead, ids: ids.slice(start, end) })
        expect(next).toEqual({ count: start, head: prevHead })
        known = next as typeof known
      }
      expect(known).toEqual({ count: 0, head: ZERO })
    }),
    runs(60)
  )
})

test('a page with one too few, too many, changed or in another order is wrong', () => {
  const prevHead = foldHead({ prevHead: ZERO, ids: IDS.slice(0, 5) })
  const ids = IDS.slice(5, 10)
  const known = { count: 10, head: foldHead({ prevHead, ids }) }
  expect(checkHistoryPage(known, { prevHead, ids })).toEqual({ count: 5, head: prevHead })
  const wrong = [
    { prevHead, ids: ids.slice(1) },
    { prevHead, ids: [...ids, IDS[10] as Uint8Array] },
    { prevHead, ids: [...ids].reverse() },
    { prevHead: ZERO, ids },
    { prevHead, ids: [] },
    { prevHead: prevHead.subarray(1), ids },
    { prevHead, ids: ids.map((id) => id.subarray(1)) },
    { prevHead, ids: new Array(MAX_PAGE_IDS + 1).fill(ZERO) }
  ]
  for (const page of wrong) expect(checkHistoryPage(known, page)).toBeUndefined()
  // Count and head must come to their beginnings together.
  expect(checkHistoryPage({ ...known, count: 5 }, { prevHead, ids })).toBeUndefined()
  const whole = { prevHead: ZERO, ids: IDS.slice(0, 10) }
  expect(checkHistoryPage(known, whole)).toEqual({ count: 0, head: ZERO })
  expect(checkHistoryPage({ ...known, count: 11 }, whole)).toBeUndefined()
})
