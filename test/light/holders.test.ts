import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Holder, holders } from '../../src/light/holders.ts'
import { runs } from '../support/runs.ts'

const PEERS: readonly Holder[] = [
  { id: 'whole', height: 90, earliest: 1 },
  { id: 'older', height: 90, earliest: 40 },
  { id: 'newer', height: 90, earliest: 70 },
  { id: 'behind', height: 50, earliest: 1 }
]

test('one that does not hold what is needed is not asked while another does', () => {
  expect(holders(PEERS, { from: 1, to: 80 })).toEqual(['whole'])
  expect(holders(PEERS, { from: 40, to: 80 }).sort()).toEqual(['older', 'whole'])
  expect(holders(PEERS, { from: 39, to: 80 })).toEqual(['whole'])
  // Block 0 follows from the genesis.
  expect(holders(PEERS, { from: 0, to: 90 }).sort()).toEqual(['newer', 'older', 'whole'])
  expect(holders(PEERS, { from: 1, to: 91 })).toEqual([])
})

test('if none does, and where only the answer says what it needs, who holds most comes first', () => {
  const [, ...warped] = PEERS
  expect(holders(warped, { from: 1, to: 80 })).toEqual(['older', 'newer'])
  expect(holders(PEERS, { from: undefined, to: 80 })).toEqual(['whole', 'older', 'newer'])
})

test('equals come in any order', () => {
  const equal = ['a', 'b', 'c'].map((id) => ({ id, height: 9, earliest: 1 }))
  const draw = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 3, maxLength: 3 })
  fc.assert(
    fc.property(draw, (ranks) => {
      const drawn = [...ranks]
      const order = holders(equal, { from: 1, to: 9 }, () => drawn.shift() as number)
      const rank = (id: string) => ranks['abc'.indexOf(id)] as number
      expect([...order].sort()).toEqual(['a', 'b', 'c'])
      for (const [i, id] of order.slice(1).entries()) expect(rank(id)).toBeGreaterThanOrEqual(rank(order[i] as string))
    }),
    runs(50)
  )
})
