import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { Turns } from '../../src/network/turns.ts'

it('no turn of the loop does more than its share, and all are served in the order in which they came', async () => {
  const turns = new Turns(10)
  const perTurn = [0]
  const served: number[] = []
  const all = Array.from({ length: 100 }, async (_, i) => {
    await turns.take(1)
    served.push(i)
    perTurn[perTurn.length - 1] = (perTurn.at(-1) as number) + 1
  })
  while (served.length < 100) {
    await nextTurn()
    perTurn.push(0)
  }
  await Promise.all(all)
  expect(served).toEqual(Array.from({ length: 100 }, (_, i) => i))
  expect(Math.max(...perTurn)).toBeLessThanOrEqual(20)
  expect(perTurn.filter((count) => count > 0).length).toBeGreaterThanOrEqual(5)
})

it('a task that is larger than a turn is done, and the next one waits for a turn', async () => {
  const turns = new Turns(10)
  await turns.take(1000)
  let done = false
  void turns.take(1).then(() => {
    done = true
  })
  await Promise.resolve()
  expect(done).toBe(false)
  await nextTurn()
  await nextTurn()
  expect(done).toBe(true)
})
