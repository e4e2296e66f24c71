/** Gathers what there is to say of the chain at a moment: what it waits for, and what is wrong with clocks. */
import type { Genesis } from '../chain/genesis.ts'
import { fromHex } from '../codec/bytes.ts'
import type { Abstention } from './abstention.ts'
import { type ClockReading, type Clocks, compareClocks, ProposalTimes } from './clocks.ts'
import type { Clock, ProvenPeer } from './ports.ts'
import type { Seat } from './seat.ts'
import { type HeightState, type Waiting, waitingAt } from './waiting.ts'
import { type ClockFault, clockFaults } from './waiting-words.ts'

export interface Sight {
  /** Height of the last final block. */
  readonly tip: number
  readonly waiting: Waiting
  /** Why this validator signs nothing; undefined: it does, or is none. */
  readonly abstention: Abstention | undefined
  readonly clocks: Clocks
  readonly clockFaults: readonly ClockFault[]
}

export interface OutlookPorts {
  readonly ledger: { readonly genesis: Genesis; readonly tip: { readonly height: number } }
  readonly clock: Clock
  readonly seat: Pick<Seat, 'validator' | 'abstention'>
  readonly proven: () => readonly ProvenPeer[]
  /** The height that is being decided; undefined: this node decides none. */
  readonly height: () => HeightState | undefined
  /** Whether nothing is decided here now: blocks come by range sync, or consensus has not begun. */
  readonly isPaused: () => boolean
  readonly halted: () => Error | undefined
}

export class Outlook {
  readonly proposals = new ProposalTimes()
  readonly #ports: OutlookPorts

  constructor(ports: OutlookPorts) {
    this.#ports = ports
  }

  look(): Sight {
    const { ledger, clock, seat, proven } = this.#ports
    const { validators } = ledger.genesis
    const { validator: self, abstention } = seat
    const said = new Map<number, ClockReading>()
    const connected = new Set<number>()
    for (const { chainKey, clock: reading } of proven()) {
      const index = validators.indexOf(fromHex(chainKey, 32) ?? new Uint8Array(0))
      if (index < 0 || index === self) continue
      connected.add(index)
      if (reading !== undefined) said.set(index, reading)
    }
    const monotonic = clock.monotonic()
    const proposed = this.proposals.recent(monotonic)
    const clocks = compareClocks({ validators, self, now: clock.now(), monotonic }, said, proposed)
    return {
      tip: ledger.tip.height,
      waiting: this.#waiting({ validators, self, abstention, connected }),
      abstention,
      clocks,
      clockFaults: clockFaults(clocks, refusedIn(proposed, validators.names))
    }
  }

  #waiting(around: Parameters<typeof waitingAt>[1]): Waiting {
    const { ledger, clock, height, isPaused, halted } = this.#ports
    const error = halted()
    if (error !== undefined) return { for: 'restart', reason: error.message }
    const { timestamp } = ledger.genesis
    if (ledger.tip.height === 0 && clock.now() < timestamp) return { for: 'genesis-time', until: timestamp }
    if (isPaused()) return { for: 'sync' }
    const state = height()
    if (state === undefined) return { for: 'others' }
    // Applied in another way, and the next height has not begun yet.
    if (state.height <= ledger.tip.height) return { for: 'disk' }
    return waitingAt(state, around)
  }
}

function refusedIn(
  proposed: ReturnType<ProposalTimes['recent']>,
  names: readonly string[]
): ReadonlyMap<string, number> {
  const refused = new Map<string, number>()
  for (const [index, { refusedMs }] of proposed) {
    if (refusedMs !== undefined) refused.set(names[index] as string, refusedMs)
  }
  return refused
}
