/** How property tests run: `MOLOCH_SEED` replays a failure that names its seed, `MOLOCH_RUNS` multiplies the runs. */

/** fast-check prints the seed of a failing run by itself. */
export function runs(count: number): { numRuns: number; seed?: number } {
  const numRuns = Math.max(1, Math.round(count * Number(process.env.MOLOCH_RUNS ?? 1)))
  const seed = process.env.MOLOCH_SEED
  return seed === undefined ? { numRuns } : { numRuns, seed: Number(seed) }
}
