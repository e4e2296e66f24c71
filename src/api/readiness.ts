import type { ApiSource } from './source.ts'

/** Why the node should get no traffic yet; undefined: it is ready. The first that applies, the worst first. */
export function unready(source: ApiSource): { readonly code: string; readonly message: string } | undefined {
  const fault = source.fault()
  if (fault !== undefined) return fault
  const sync = source.sync()
  if (sync.stalled !== undefined) return { code: sync.stalled.code, message: sync.stalled.message }
  const { height } = source.chain.tip
  if (sync.targetHeight > height) {
    return { code: 'SYNCING', message: `at height ${height} of ${sync.targetHeight}` }
  }
  if (isAlone(source)) {
    const other = source.keyInUse?.()
    const because = other === undefined ? '' : `; ${other.message}`
    return { code: 'NO_PEERS', message: `not connected to any peer of this chain${because}` }
  }
  return standing(source, height) ?? abstaining(source)
}

/**
 * A validator is there to sign: who restarts them one after the other waits for this. One that has warped serves and follows
 * meanwhile, and without backfill its window fills as slowly as blocks come: its status says so, and it is ready.
 */
function abstaining(source: ApiSource): ReturnType<typeof unready> {
  const abstains = source.abstains?.()
  if (abstains == null || abstains.code === 'WINDOW_MISSING') return undefined
  return { code: abstains.code, message: `this validator ${abstains.message}` }
}

/** The chain stands: events that are taken in here would wait, for nobody knows how long. */
function standing(source: ApiSource, height: number): ReturnType<typeof unready> {
  const outlook = source.outlook()
  if (outlook?.waiting.standsMs === undefined) return undefined
  const { waiting, clock } = outlook
  const seconds = Math.floor((waiting.standsMs ?? 0) / 1000)
  const reasons = [waiting.message, ...clock.faults].join('; ')
  return { code: 'CHAIN_STANDS', message: `no block at height ${height + 1} for ${seconds} s: ${reasons}` }
}

/** The only validator of a chain needs nobody; any other node that has no peer cannot know what is final. */
function isAlone(source: ApiSource): boolean {
  if (source.role === 'validator' && source.genesis.validators.size === 1) return false
  return !source.peers().some((peer) => peer.state === 'SYNCED' || peer.state === 'PROVIDING')
}
