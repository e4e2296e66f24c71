import { setTimeout as delay } from 'node:timers/promises'
import type { Checkpoint } from '../../chain/checkpoint.ts'
import type { CheckedManifest } from '../../chain/snapshot-manifest.ts'
import { equalBytes } from '../../codec/bytes.ts'
import { chooseManifest, giveUp, isSettled } from './choice.ts'
import type { ManifestSearch } from './search.ts'
import type { SearchOutcome } from './types.ts'

const POLL_MS = 50
const DEFAULT_GIVE_UP_MS = 6_000
const DEFAULT_GATHER_MS = 500

export interface Finding {
  readonly search: ManifestSearch
  readonly checkpoint: Checkpoint
  readonly snapshotInterval: number
  /** Of the chain that is here. */
  readonly height: number
  /** Whose chunks are here in part. */
  readonly held: CheckedManifest | undefined
  readonly giveUpMs: number | undefined
  readonly gatherMs: number | undefined
  readonly now: () => number
}

/** Waits until there is a manifest to take, or it is clear that there is none. @throws the signal's reason */
export async function findManifest(finding: Finding, signal: AbortSignal): Promise<SearchOutcome> {
  const { search, checkpoint, snapshotInterval, height, held, now } = finding
  const { giveUpMs = DEFAULT_GIVE_UP_MS, gatherMs = DEFAULT_GATHER_MS } = finding
  let lacking: number | undefined
  let offered: number | undefined
  for (;;) {
    search.tick()
    const at = now()
    if (search.wrong !== undefined) return search.wrong
    const { peers, lastWords } = search
    // No peers at all is a matter of waiting.
    lacking = peers.some(({ peer }) => isSettled(peer)) ? (lacking ?? at) : undefined
    const offers = search.offers()
    offered = offers.length === 0 ? undefined : (offered ?? at)
    const { allAnswered } = search
    const highest = Math.max(0, ...peers.map(({ peer }) => peer.height))
    const gathering = { sinceMs: at - (offered ?? at), gatherMs, allAnswered, highest, snapshotInterval }
    const chosen = chooseManifest(offers, held, gathering)
    if (chosen !== undefined) {
      const sources = offers.filter(({ manifest }) => equalBytes(manifest.id, chosen.id)).map(({ peer }) => peer)
      return { kind: 'found', manifest: chosen, sources }
    }
    if (offered === undefined && lacking !== undefined && !search.isAwaiting) {
      const none = giveUp({ checkpoint, height, peers, sinceMs: at - lacking, giveUpMs, lastWords })
      if (none !== undefined) return none
    }
    await delay(POLL_MS, undefined, { signal })
  }
}
