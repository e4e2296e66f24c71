import { Random } from '../../support/random.ts'

/** Uniform in [0, 1); the same seed replays the same run. */
export function seeded(seed: number): () => number {
  const random = new Random(seed)
  return () => random.float()
}

/** Seeds of a property test: `count` of them from MOLOCH_SEED on, times MOLOCH_RUNS. */
export function seeds(count: number): number[] {
  const first = Number(process.env.MOLOCH_SEED ?? 1)
  const runs = Math.max(1, Math.round(count * Number(process.env.MOLOCH_RUNS ?? 1)))
  return Array.from({ length: runs }, (_, i) => first + i)
}
