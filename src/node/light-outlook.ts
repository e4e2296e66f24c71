import { Outlook } from '../consensus/outlook.ts'
import { standAfterMs } from '../consensus/pace.ts'
import { type Clock, systemClock } from '../consensus/ports.ts'
import { StallMonitor } from '../consensus/stall-monitor.ts'
import type { LightChain } from '../light/light-chain.ts'
import type { Log } from '../log.ts'
import type { Network } from '../network/types.ts'
import { quietLog } from '../quiet-log.ts'
import { provenPeers } from './proven-peers.ts'

export interface LightOutlookParts {
  readonly chain: LightChain
  readonly network: Network
  readonly isSyncing: () => boolean
  readonly log: Log
  readonly clock?: Clock | undefined
}

/** What a light node waits for: it sees no votes, so that no header came for too long is all that it can say. */
export function lightOutlook({ chain, network, isSyncing, log, clock = systemClock }: LightOutlookParts): StallMonitor {
  const outlook = new Outlook({
    ledger: chain,
    clock,
    seat: { validator: -1, abstention: undefined },
    proven: () => provenPeers(network),
    height: () => undefined,
    isPaused: isSyncing,
    halted: () => (chain.conflict === undefined ? undefined : new Error(chain.conflict.description))
  })
  const { params } = chain.genesis
  return new StallMonitor({
    // When an event came it does not see either.
    afterMs: params.emptyBlockIntervalMs + standAfterMs(params),
    clock,
    log,
    quiet: quietLog(log, clock),
    look: () => outlook.look()
  })
}
