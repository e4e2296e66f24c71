import { describe, expect, it } from 'vitest'
import { heldBytes } from '../../src/sync/policy/weight.ts'
import { seeded, seeds } from './support/random.ts'
import { BEHAVIOURS, type Behaviour } from './support/simulated-peer.ts'
import { Simulation, type SimulationOptions } from './support/simulation.ts'

const FRAME = 64 * 1024

function weights(seed: number): (height: number) => number {
  const base = 200 + seeded(seed)() * 20_000
  // Blocks of one chain differ, and some are as large as a frame.
  return (height) => {
    const random = seeded(seed * 7919 + height)
    return Math.min(FRAME, Math.round(random() < 0.01 ? FRAME : base * (0.2 + random() * 1.6)))
  }
}

function simulate(
  seed: number,
  peers: readonly Behaviour[],
  blocks: number,
  bound: number,
  rest: Partial<SimulationOptions> = {}
): Simulation {
  const simulation = new Simulation({
    seed,
    blocks,
    peers,
    weight: weights(seed),
    frameBytes: FRAME,
    lookAheadBytes: bound,
    ...rest
  })
  simulation.run()
  return simulation
}

/** The smallest bound that the scheduler accepts. */
const LEAST = 4 * heldBytes(512, FRAME)

describe('the scheduler, whatever its peers do', () => {
  it('syncs with one honest peer among any others, and blames only liars', () => {
    for (const seed of seeds(150)) {
      const random = seeded(seed ^ 0x5eed)
      const others = Array.from({ length: Math.floor(random() * 7) }, () => {
        return BEHAVIOURS[Math.floor(random() * BEHAVIOURS.length)] as Behaviour
      })
      const bound = LEAST + Math.floor(random() * 16 * 1024 * 1024)
      const blocks = 20 + Math.floor(random() * 1500)
      const gossip = random() < 0.3 ? 0.2 : 0
      const { penalised } = simulate(seed, ['honest', ...others], blocks, bound, { gossip })
      for (const { peer } of penalised) expect(peer, `seed ${seed}`).toMatch(/^(liar|late-liar|greedy)/)
    }
  })

  for (const behaviour of BEHAVIOURS) {
    it(`syncs from an honest peer beside three that are ${behaviour}`, () => {
      for (const seed of seeds(4)) simulate(seed, ['honest', behaviour, behaviour, behaviour], 600, 4 * LEAST)
    })
  }

  it('syncs from peers that only ever cut answers short, leave or limit', () => {
    for (const seed of seeds(10)) simulate(seed, ['short', 'leaving', 'limited', 'resetting'], 400, LEAST)
  })

  it('uses every peer of equal standing', () => {
    for (const seed of seeds(10)) {
      const simulation = simulate(seed, ['honest', 'honest', 'honest', 'honest'], 300, 8 * LEAST, { joinMs: 0 })
      expect(simulation.usedPeers.size, `seed ${seed}`).toBe(4)
    }
  })

  it('fills what the bound allows and no more', () => {
    const simulation = simulate(3, ['honest', 'honest'], 3000, 2 * LEAST)
    expect(simulation.peakHeld).toBeGreaterThan(LEAST / 4)
    expect(simulation.peakHeld).toBeLessThanOrEqual(2 * LEAST)
  })
})
