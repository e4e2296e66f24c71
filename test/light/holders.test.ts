import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Holder, holders, MAX_ASKED, type Needed } from '../../src/light/holders.ts'
import { Random } from '../support/random.ts'
import { runs } from '../support/runs.ts'

const PEERS: readonly Holder[] = [
  { id: 'whole', height: 90, earliest: 1 },
  { id: 'older', height: 90, earliest: 40 },
  { id: 'newer', height: 90, earliest: 70 },
  { id: 'behind', height: 50, earliest: 1 }
]

test('who does not hold what is needed is asked after those that do', () => {
  expect(holders(PEERS, { from: 1, to: 80 })).toEqual(['whole', 'older', 'newer'])
  const [first, second, third] = holders(PEERS, { from: 40, to: 80 })
  expect([first, second].sort()).toEqual(['older', 'whole'])
  expect(third).toBe('newer')
  expect(holders(PEERS, { from: 39, to: 80 })[0]).toBe('whole')
  // Block 0 follows from the genesis.
  expect(holders(PEERS, { from: 0, to: 90 }).sort()).toEqual(['newer', 'older', 'whole'])
  expect(holders(PEERS, { from: 1, to: 91 })).toEqual([])
})

test('if none does, and where only the answer says what it needs, who holds most comes first', () => {
  const [, ...warped] = PEERS
  expect(holders(warped, { from: 1, to: 80 })).toEqual(['older', 'newer'])
  expect(holders(PEERS, { from: undefined, to: 80 })).toEqual(['whole', 'older', 'newer'])
})

const crowd = (size: number, earliest: number): Holder[] =>
  Array.from({ length: size }, (_, at) => ({ id: `${earliest}:${at}`, height: 90, earliest }))

test('however many say that they hold more, an honest one is asked sooner or later', () => {
  const source = new Random(7)
  const random = () => source.float()
  const honest: readonly Holder[] = [
    { id: 'whole', height: 90, earliest: 1 },
    { id: 'warped', height: 90, earliest: 40 }
  ]
  const needs: readonly Needed[] = [
    { from: undefined, to: 80 },
    { from: 1, to: 80 }
  ]
  // Nobody holds more than from block 1 up; and what warped may have been filled in since.
  for (const said of [0, 1, 39]) {
    for (const needed of needs) {
      const peers = [...honest, ...crowd(20, said)]
      const asked = new Set<string>()
      for (let i = 0; i < 500; i++) {
        for (const id of holders(peers, needed, random).slice(0, MAX_ASKED)) asked.add(id)
      }
      expect([...asked]).toEqual(expect.arrayContaining(['whole', 'warped']))
    }
  }
})

test('most of those that are asked are chosen by what they say, and nobody is asked twice or left out', () => {
  const peers = [...crowd(30, 40), ...crowd(6, 1)]
  const order = holders(peers, { from: 1, to: 80 })
  expect(order.slice(0, 6).every((id) => id.startsWith('1:'))).toBe(true)
  expect([...order].sort()).toEqual(peers.map(({ id }) => id).sort())
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
