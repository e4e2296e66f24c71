import type { MempoolLimits, Source } from '../../../src/chain/mempool.ts'

/** Roomy unless told otherwise. */
export function mempoolLimits(changes: Partial<MempoolLimits> = {}): MempoolLimits {
  return {
    maxEvents: 4000,
    maxBytes: 1 << 24,
    maxPerActor: 10_000,
    maxPerCaller: 10_000,
    unvouchedShare: 0.25,
    unvouchedInBlock: { maxEvents: 1000, maxBytes: 1 << 20 },
    ...changes
  }
}

export const own = (name = 'caller'): Source => ({ kind: 'own', name })
export const vouched = (name: string): Source => ({ kind: 'vouched', name })
export const unvouched = (name: string): Source => ({ kind: 'unvouched', name })
