/** fast-check's settings for a property test: `MOLOCH_SEED` replays a seed, `MOLOCH_RUNS` multiplies the runs. */
export function runs(count: number): { numRuns: number; seed?: number } {
  const seed = process.env.MOLOCH_SEED
  const numRuns = Math.max(1, Math.round(count * Number(process.env.MOLOCH_RUNS ?? 1)))
  return seed === undefined ? { numRuns } : { numRuns, seed: Number(seed) }
}
