import type { Genesis } from '../chain/genesis.ts'

/** A started node, as those see it who start and stop it (`startNode` gives one). */
export interface RunningNode {
  readonly genesis: Genesis
  readonly peerId: string
  readonly role: 'validator' | 'observer'
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
