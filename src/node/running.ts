import type { Genesis } from '../chain/genesis.ts'
import type { Network } from '../network/types.ts'
import type { Closers } from './closers.ts'

/** A started node, as those see it who start and stop it (`startNode` gives one). */
export interface RunningNode {
  readonly genesis: Genesis
  readonly peerId: string
  readonly role: 'validator' | 'observer' | 'light node'
  /** `http://127.0.0.1:8645` */
  readonly apiUrl: string
  /** Height of the finalized tip. */
  readonly height: number
  /** Listen addresses with the peer id. */
  addresses(): readonly string[]
  /** Calls back each second of a range sync with one line about it, and with undefined when it is over. */
  onProgress(listener: (line: string | undefined) => void): void
  /** Stops in order; the data is safe either way. Idempotent: later calls wait for the first. */
  stop(): Promise<void>
  /** The part that stop() is waiting for now. */
  readonly waitingFor: string | undefined
}

export interface RunningParts {
  readonly chain: { readonly genesis: Genesis; readonly tip: { readonly height: number } }
  readonly role: RunningNode['role']
  readonly apiUrl: string
  readonly network: Network
  readonly sync: {
    on(name: 'progress', listener: (state: unknown, line: string) => void): unknown
    on(name: 'done', listener: () => void): unknown
  }
  readonly closers: Closers
}

export function runningNode({ chain, role, apiUrl, network, sync, closers }: RunningParts): RunningNode {
  return {
    genesis: chain.genesis,
    role,
    apiUrl,
    peerId: network.peerId,
    get height() {
      return chain.tip.height
    },
    get waitingFor() {
      return closers.waitingFor
    },
    addresses: () => network.addresses(),
    onProgress: (listener) => {
      sync.on('progress', (_, line) => listener(line))
      sync.on('done', () => listener(undefined))
    },
    stop: () => closers.close()
  }
}
