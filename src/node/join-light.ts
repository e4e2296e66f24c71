import type { CheckedHeader } from '../chain/check-header.ts'
import { rootFailure } from '../chain/check-header.ts'
import { TrustedHeader } from '../codec/generated/chain.ts'
import type { HeaderIntake, HeadersPort } from '../consensus/header-intake.ts'
import { messageOf } from '../error.ts'
import type { CrossCheck } from '../light/cross-check.ts'
import { type SkipPorts, skipTo } from '../light/header-lookup.ts'
import type { LightChain } from '../light/light-chain.ts'
import type { Log } from '../log.ts'
import type { Network, PeerView } from '../network/types.ts'
import type { SyncManager } from '../sync/manager.ts'
import type { FaultBoard } from './faults.ts'

export interface JoinedLight {
  readonly chain: LightChain
  readonly network: Network
  readonly sync: SyncManager<CheckedHeader>
  readonly intake: HeaderIntake
  readonly crossCheck: CrossCheck
  readonly faults: FaultBoard
  /** Undefined: every header is followed. */
  readonly skip: SkipPorts | undefined
  readonly log: Log
}

/** Fewer headers than this are followed one by one: a skip takes two requests, and leaves a gap. */
const SKIP_AT_LEAST = 64

/** Who hears what from whom in a light node. */
export function joinLight({ chain, network, sync, intake, crossCheck, faults, skip, log }: JoinedLight): void {
  const offer = ({ peerId, height, earliestHeight, source }: PeerView): void => {
    if (source) sync.setPeer({ id: peerId, height, earliest: earliestHeight })
  }
  let skipping: Promise<void> | undefined
  const source = (peer: PeerView): void => {
    if (skip === undefined || !peer.source || peer.height < chain.tip.height + SKIP_AT_LEAST) {
      if (skipping === undefined) offer(peer)
      return
    }
    skipping ??= skipTo(skip, peer.height)
      .catch((error: unknown) => log.info({ err: messageOf(error) }, 'no skip: headers are followed one by one'))
      .finally(() => {
        skipping = undefined
        for (const each of network.sessions.list()) offer(each)
      })
  }
  network.sessions.on('update', source)
  network.sessions.on('ready', (peer) => {
    source(peer)
    void crossCheck.soon()
    // It may follow the other chain, and nobody was there when the conflict was found.
    if (chain.conflict !== undefined) report()
  })
  network.sessions.on('closed', ({ peerId }) => sync.removePeer(peerId))
  network.on('unbanned', (peer) => sync.pardon(peer))
  sync.on('penalise', (peer, { code, message }) => network.penalise(peer, code, message))
  sync.on('stalled', () => {
    for (const peer of network.sessions.list()) offer(peer)
  })
  network.subscribe('header', intake.rules)

  chain.on('finalized', () => network.headChanged())
  const halt = (description: string): void => {
    faults.raiseHalt('CONFLICTING_FINALITY', description)
    report()
  }
  let isReporting = false
  const report = (): void => {
    if (isReporting) return
    isReporting = true
    void publishConflict(chain, network, log).finally(() => {
      isReporting = false
    })
  }
  chain.on('conflict', ({ description }) => halt(description))
  if (chain.conflict !== undefined) halt(chain.conflict.description)
  for (const peer of network.sessions.list()) source(peer)
}

/** Shows peers both headers: a node that follows the one chain learns of the other. */
async function publishConflict(chain: LightChain, network: Network, log: Log): Promise<void> {
  try {
    for (const { kind, parts } of await chain.evidence()) {
      if (kind !== 'conflict') continue
      for (const header of parts) await network.publish('header', header)
    }
  } catch (error) {
    log.warn({ err: messageOf(error) }, 'the conflicting headers were not published')
  }
}

/** The chain of headers as the header topic's intake sees it. */
export function headersPort(chain: LightChain): HeadersPort {
  return {
    genesis: chain.genesis,
    get tip() {
      return chain.tip
    },
    get conflict() {
      return chain.conflict
    },
    hashAt: async (height) => (await chain.headerAt(height))?.hash,
    compareHeader: async (header) => {
      const known = header.height <= chain.tip.height
      const { failure } = await chain.apply([header])
      if (failure !== undefined) return failure.failure
      const row = known ? await chain.trustedAt(header.height) : undefined
      return row && rootFailure(header, TrustedHeader.decode(row).mmrRoot)
    }
  }
}
