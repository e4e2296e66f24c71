/** Four drivers, some or all of them with a wrong clock: the chain goes on, and who is wrong is named. */
import { expect, it, vi } from 'vitest'
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

it('… who refuses a proposal for its time says whose it was and how far it is off', async () => {
  const { nodes } = await network([0, 0, HOUR_MS, 0])
  await all(nodes, 5)
  for (const node of [nodes[0]!, nodes[1]!, nodes[3]!]) {
    expect(
      node.warnings.filter((line) => /^refused the proposal of v2: its time is 3[56]\d{5} ms ahead/.test(line))
    ).not.toEqual([])
    expect(node.warnings.filter((line) => /of v[013]/.test(line))).toEqual([])
  }
})
