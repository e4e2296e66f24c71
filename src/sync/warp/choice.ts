import { type Checkpoint, checkpointText } from '../../chain/checkpoint.ts'
import type { CheckedManifest } from '../../chain/snapshot-manifest.ts'
import { equalBytes } from '../../codec/bytes.ts'
import type { NoSnapshot, WarpPeer } from './types.ts'

/** A snapshot of which chunks are here is waited for this long while peers are silent about it. */
const RESUME_MS = 5_000
/** Peers that are busy or silent are waited for this long: to sync all blocks of them instead would be more work for all. */
const BUSY_MS = 30_000

export interface Gathering {
  /** Since the first offer. */
  readonly sinceMs: number
  /** Others get this long to offer a newer one. */
  readonly gatherMs: number
  /** Whether every peer that may be asked has answered once. */
  readonly allAnswered: boolean
  /** The highest certified height of those who are asked; 0: none is known yet. */
  readonly highest: number
  readonly snapshotInterval: number
}

/**
 * Of what is offered, the snapshot that is half here; or the highest, once those who are asked have had their time, or as
 * none of them can have a newer one.
 * @returns undefined: wait
 */
export function chooseManifest(
  offers: readonly { readonly manifest: CheckedManifest }[],
  held: CheckedManifest | undefined,
  { sinceMs, gatherMs, allAnswered, highest, snapshotInterval }: Gathering
): CheckedManifest | undefined {
  const same = held && offers.find(({ manifest }) => equalBytes(manifest.id, held.id))
  if (same !== undefined) return same.manifest
  const best = offers.map(({ manifest }) => manifest).sort((a, b) => b.height - a.height)[0]
  if (best === undefined) return undefined
  const isNewest = best.height <= highest && highest < best.height + snapshotInterval
  if (held === undefined && isNewest) return best
  const patience = held === undefined ? gatherMs : RESUME_MS
  return sinceMs >= patience || (sinceMs >= gatherMs && allAnswered) ? best : undefined
}

/** Why a peer has no offer for us. */
export type Lack =
  /** It has none, or lied. */
  | 'nothing'
  /** It asked us to wait, or did not answer. */
  | 'busy'
  /** It has a certified snapshot that does not go through the checkpoint, which nobody else has shown to be right. */
  | 'unproven'

export interface SearchedPeer {
  readonly peer: WarpPeer
  /** Undefined: it has not said yet. */
  readonly lack: Lack | undefined
}

export interface Fruitless {
  readonly checkpoint: Checkpoint
  /** Of the chain that is here. */
  readonly height: number
  readonly peers: readonly SearchedPeer[]
  /** Since the first peer that has a chain to speak of. */
  readonly sinceMs: number
  readonly giveUpMs: number
  /** What a peer last said of why it has nothing. */
  readonly lastWords: string
}

/** Who has a chain to speak of, and is not on the way to it. */
export function isSettled({ height, syncing }: WarpPeer): boolean {
  return height > 0 && !syncing
}

/**
 * Whether it is time to go without a snapshot. Where that would be of no use, as nobody holds the next block either, it is
 * a matter of waiting.
 * @returns undefined: wait
 */
export function giveUp({ checkpoint, height, peers, sinceMs, giveUpMs, lastWords }: Fruitless): NoSnapshot | undefined {
  const settled = peers.filter(({ peer }) => isSettled(peer))
  if (settled.length === 0 || sinceMs <= giveUpMs) return undefined
  const highest = Math.max(...settled.map(({ peer }) => peer.height))
  const lowest = Math.min(...settled.map(({ peer }) => peer.earliest))
  const said = lastWords === '' ? '' : ` (${lastWords})`
  const hold = `${peers.length} connected, they hold blocks ${lowest} to ${highest}${said}`
  const shown = checkpointText(checkpoint)
  const missing = `no peer has a snapshot at or above the checkpoint ${shown}: ${hold}`
  if (checkpoint.height > highest) return { kind: 'none', code: 'CHECKPOINT_UNAVAILABLE', message: missing }
  const waiting = settled.some(({ lack }) => lack === 'busy' || lack === undefined)
  if (waiting && sinceMs <= BUSY_MS) return undefined
  if (settled.some(({ lack }) => lack === 'unproven')) {
    const message = `no peer shows that its chain goes through the checkpoint ${shown}, nor has its block: ${hold}`
    return { kind: 'none', code: 'CHECKPOINT_UNPROVEN', message }
  }
  if (lowest > height + 1) return undefined
  return { kind: 'none', code: 'NO_SNAPSHOT', message: missing }
}
