import { describe, expect, it } from 'vitest'
import { Random } from '../support/random.ts'
import { runs } from '../support/runs.ts'
import { Simulation } from './support/simulation.ts'

/** Virtual time in which a healed network has to decide, whatever round it got to before. */
const PATIENCE_MS = 600_000

async function simulate(
  size: number,
  faulty: number,
  seed: number,
  clockOffsets?: readonly number[]
): Promise<Simulation> {
  const simulation = new Simulation({ size, faulty, random: new Random(seed), ...(clockOffsets && { clockOffsets }) })
  await simulation.run(PATIENCE_MS)
  const at = `seed ${seed}, n ${size}`
  expect(simulation.failures, at).toEqual([])
  const decisions = simulation.honest.map(({ decided }) => decided)
  expect(new Set(decisions).size, `${at}: decisions ${decisions.join(', ')}`).toBe(1)
  expect(decisions[0], `${at}: no progress; rounds ${simulation.honest.map(({ round }) => round)}`).toBeDefined()
  expect(simulation.blocks.get(decisions[0]!)?.valid, at).toBe(true)
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

it('who restarts in a round that a faulty vote led into still brings the others there', async () => {
  // Without the votes that led into the round in the signer's log, one validator stays in round 1 and two in round 0.
  await simulate(4, 1, 1159)
})

it('a seed gives the same run again', async () => {
  const [a, b] = [await simulate(4, 1, 7), await simulate(4, 1, 7)]
  expect(b.schedule.events).toBe(a.schedule.events)
  expect(b.schedule.now).toBe(a.schedule.now)
})
