import { type Checkpoint, checkpointText } from '../../chain/checkpoint.ts'
import type { CheckedManifest } from '../../chain/snapshot-manifest.ts'
import { equalBytes } from '../../codec/bytes.ts'
import type { NoSnapshot, WarpPeer } from './types.ts'

/** A snapshot of which chunks are here is waited for this long while peers are silent about it. */
const RESUME_MS = 5_000

export interface Gathering {
  /** Since the first offer. */
  readonly sinceMs: number
  /** Others get this long to offer a newer one. */
  readonly gatherMs: number
  /** Whether every peer that may be asked has answered once. */
  readonly allAnswered: boolean
}

/**
 * Of what is offered, the snapshot that is half here; or the highest, once those who are asked have had their time.
 * @returns undefined: wait
 */
export function chooseManifest(
  offers: readonly { readonly manifest: CheckedManifest }[],
  held: CheckedManifest | undefined,
  { sinceMs, gatherMs, allAnswered }: Gathering
): CheckedManifest | undefined {
  const same = held && offers.find(({ manifest }) => equalBytes(manifest.id, held.id))
  if (same !== undefined) return same.manifest
  const patience = held === undefined ? gatherMs : RESUME_MS
  if (sinceMs < patience && !(sinceMs >= gatherMs && allAnswered)) return undefined
  return offers.map(({ manifest }) => manifest).sort((a, b) => b.height - a.height)[0]
}

export function noSnapshot(checkpoint: Checkpoint, peers: readonly WarpPeer[], lastWords: string): NoSnapshot {
  const highest = Math.max(0, ...peers.map(({ height }) => height))
  const lowest = Math.min(...peers.map(({ earliest }) => earliest))
  const wanted = `no peer has a snapshot at or above the checkpoint ${checkpointText(checkpoint)}`
  const said = lastWords === '' ? '' : ` (${lastWords})`
  const message = `${wanted}: ${peers.length} connected, they hold blocks ${lowest} to ${highest}${said}`
  return { kind: 'none', code: checkpoint.height > highest ? 'CHECKPOINT_UNAVAILABLE' : 'NO_SNAPSHOT', message }
}
