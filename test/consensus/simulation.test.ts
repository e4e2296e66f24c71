import { describe, expect, it } from 'vitest'
import { toHex } from '../../src/codec/bytes.ts'
import { Random } from '../support/random.ts'
import { runs } from '../support/runs.ts'
import { BACK_MS, msAllowed, roundsAllowed } from './support/liveness.ts'
import type { SimNode } from './support/sim-node.ts'
import { Simulation } from './support/simulation.ts'

async function simulate(
  size: number,
  faulty: number,
  seed: number,
  clockOffsets: readonly number[] = []
): Promise<Simulation> {
  const simulation = new Simulation({ size, faulty, random: new Random(seed), clockOffsets })
  const { honest } = simulation
  const at = `seed ${seed}, n ${size}`
  await simulation.start()
  const reach = (height: number, ms: number): Promise<void> =>
    simulation.run(() => honest.every((node) => node.height >= height), simulation.schedule.now + ms)
  await reach(1, BACK_MS + msAllowed(simulation, 0))
  simulation.break()
  await simulation.run(() => false, simulation.healsAt)
  const tip = Math.max(...honest.map(({ height }) => height))
  await simulation.run(() => honest.every((node) => node.takesPart), simulation.healsAt + BACK_MS)
  expect(
    honest.filter((node) => !node.takesPart).map(({ index }) => index),
    `${at}: not back in time`
  ).toEqual([])
  const round = Math.max(...honest.map((node) => (node.height === tip ? node.round : 0)))
  const isOpen = honest.every(({ height }) => height === tip)
  await reach(tip + 1, msAllowed(simulation, round))
  const decided = Math.min(...honest.map((node) => node.roundOf(tip + 1) ?? Number.POSITIVE_INFINITY))
  const bound = isOpen ? round + roundsAllowed(simulation) : Number.POSITIVE_INFINITY
  expect(decided, `${at}: in round ${round} when all were back`).toBeLessThanOrEqual(bound)
  expect(simulation.failures, at).toEqual([])
  const chain = (node: SimNode) => node.disk.blocks.slice(0, tip + 1).map(({ hash }) => toHex(hash))
  for (const node of honest) expect(chain(node), `${at}: not in time, or different chains`).toEqual(chain(honest[0]!))
  expect(chain(honest[0]!), `${at}: not in time`).toHaveLength(tip + 1)
  return simulation
}

/** `MOLOCH_SEED` replays one schedule. */
function seeds(count: number): number[] {
  const { numRuns, seed } = runs(count)
  return seed === undefined ? Array.from({ length: numRuns }, (_, i) => i + 1) : [seed]
}

describe.each([
  { size: 4, count: 80 },
  { size: 7, count: 30 }
])('$size validators over a network that loses, delays and repeats', ({ size, count }) => {
  const most = Math.floor((size - 1) / 3)

  it('decide one block, and always once it heals, with f silent or equivocating and the others crashing', async () => {
    const schedules = seeds(count)
    let crashes = 0
    for (const seed of schedules) {
      const { honest } = await simulate(size, most, seed)
      for (const node of honest) crashes += node.crashes
    }
    // One schedule that is replayed may have none.
    if (schedules.length > 1) expect(crashes).toBeGreaterThan(schedules.length / 4)
  })

  it('decide one block when all follow the rules', async () => {
    for (const seed of seeds(Math.ceil(count / 4))) await simulate(size, 0, seed)
  })
})

const HOUR_MS = 3_600_000

it.each([
  ['one is an hour ahead', [HOUR_MS, 0, 0, 0]],
  ['one is an hour behind', [0, -HOUR_MS, 0, 0]],
  ['three are hours ahead, each by another', [HOUR_MS, 0, 2 * HOUR_MS, 3 * HOUR_MS]],
  ['two are hours behind and one ahead', [-HOUR_MS, -2 * HOUR_MS, HOUR_MS, 0]]
])('wrong clocks do not stop a height: %s', async (_, clockOffsets) => {
  for (const seed of seeds(10)) {
    await simulate(4, 0, seed, clockOffsets)
    await simulate(4, 1, seed, clockOffsets)
  }
})

it('a seed gives the same run again', async () => {
  const [a, b] = [await simulate(4, 1, 7), await simulate(4, 1, 7)]
  expect(b.schedule.events).toBe(a.schedule.events)
  expect(b.schedule.now).toBe(a.schedule.now)
})
