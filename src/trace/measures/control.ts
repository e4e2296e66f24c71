import type { TraceEvent } from '../event.ts'
import { addControl, type ControlPart } from './control-size.ts'
import { CONTROL_KINDS, type ControlKind, type ControlStats, type GossipStats } from './gossip-stats.ts'
import { ratio } from './ratio.ts'

type RpcEvent = Extract<TraceEvent, { readonly meta: unknown }>

/** RPCs by direction, and what of them is control. */
export class ControlTally {
  readonly #sent = new Direction()
  readonly #received = new Direction()
  #dropped = 0

  add({ type, meta }: RpcEvent): void {
    if (type === 'DROP_RPC') this.#dropped++
    else (type === 'SEND_RPC' ? this.#sent : this.#received).add(meta)
  }

  stats(): Pick<GossipStats, 'rpcs' | 'control'> {
    return {
      rpcs: { sent: this.#sent.rpcs, received: this.#received.rpcs, dropped: this.#dropped },
      control: { sent: this.#sent.stats(), received: this.#received.stats() }
    }
  }
}

class Direction {
  rpcs = 0
  #messages = 0
  #bytes = 0
  readonly #kinds = Object.fromEntries(CONTROL_KINDS.map((kind) => [kind, { count: 0, ids: 0, bytes: 0 }])) as Record<
    ControlKind,
    ControlPart
  >

  add(meta: RpcEvent['meta']): void {
    this.rpcs++
    this.#messages += meta.messages.length
    this.#bytes += addControl(meta, this.#kinds)
  }

  stats(): ControlStats {
    return {
      messages: this.#messages,
      bytes: this.#bytes,
      bytes_per_message: ratio(this.#bytes, this.#messages),
      kinds: this.#kinds
    }
  }
}
