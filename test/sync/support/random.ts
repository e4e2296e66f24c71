/** A small seeded generator (mulberry32), uniform in [0, 1): the same seed replays the same run. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

/** Seeds of a property test: `runs` of them from MOLOCH_SEED on, times MOLOCH_RUNS. */
export function seeds(runs: number): number[] {
  const first = Number(process.env.MOLOCH_SEED ?? 1)
  const count = Math.max(1, Math.round(runs * Number(process.env.MOLOCH_RUNS ?? 1)))
  return Array.from({ length: count }, (_, i) => first + i)
}
