/** Four drivers, some or all of them with a wrong clock: the chain goes on, and who is wrong is named. */
import { expect, it, vi } from 'vitest'
import { waitFor } from '../support/until.ts'
import { Network, type TestNode } from './support/rig.ts'
import { ShiftedClock } from './support/shifted-clock.ts'

vi.setConfig({ testTimeout: 60_000 })
const HOUR_MS = 3_600_000
const W = 600_000

async function network(offsets: readonly number[]): Promise<{ nodes: TestNode[]; clocks: ShiftedClock[] }> {
  const room = new Network({}, offsets.length, Date.now() - 2 * HOUR_MS)
  const clocks = offsets.map((offset) => new ShiftedClock(offset))
  const nodes = clocks.map((clock) => room.add(clock))
  for (const node of nodes) await node.start()
  return { nodes, clocks }
}

const all = (nodes: readonly TestNode[], height: number): Promise<unknown> =>
  Promise.all(nodes.map((node) => node.reaches(height)))

it('all an hour ahead and then right: blocks go on at once, a millisecond apart', async () => {
  const { nodes, clocks } = await network([HOUR_MS, HOUR_MS, HOUR_MS, HOUR_MS])
  await all(nodes, 2)
  for (const clock of clocks) clock.offsetMs = 0
  // What was proposed before is decided yet.
  const from = Math.max(...nodes.map(({ tip }) => tip.height)) + 1
  await all(nodes, from + 4)
  const { ledger } = nodes[0]!
  const times = await Promise.all(
    Array.from({ length: 5 }, async (_, i) => (await ledger.headerAt(from + i))!.header.timestamp)
  )
  expect(times[0]).toBeGreaterThan(Date.now() + HOUR_MS - 60_000)
  expect(times.map((time) => time - times[0]!)).toEqual([0, 1, 2, 3, 4])
})

it.each([
  ['ahead', HOUR_MS],
  ['behind', -HOUR_MS]
])('one of four an hour %s: the others go on, at the right time', async (_, offset) => {
  const { nodes } = await network([0, 0, offset, 0])
  await all(nodes, 6)
  const { timestamp } = nodes[0]!.ledger.tip.header
  expect(Math.abs(timestamp - Date.now())).toBeLessThan(W)
})

it('the others name the one whose clock is off, once, and it hears of its own', async () => {
  const { nodes, clocks } = await network([0, 0, HOUR_MS, 0])
  await all(nodes, 5)
  for (const node of [nodes[0]!, nodes[1]!, nodes[3]!]) {
    const lines = node.warnings.filter((line) => line.includes('clock'))
    expect(lines).toEqual([expect.stringMatching(/^the clock of v2 is 3[56]\d\d s ahead of the other validators'$/)])
  }
  const own = nodes[2]!.warnings.filter((line) => line.includes('clock'))
  expect(own).toEqual([
    expect.stringMatching(/^this node's clock is 3[56]\d\d s ahead of the median of the validators'$/)
  ])
  // What it takes events by is the others' clock.
  expect(Math.abs(nodes[2]!.driver.validatorsNow() - Date.now())).toBeLessThan(HOUR_MS / 2)
  clocks[2]!.offsetMs = 0
  await waitFor(() => expect(nodes[2]!.infos.some((line) => line.startsWith('no longer: this node'))).toBe(true), {
    timeout: 20_000
  })
})
