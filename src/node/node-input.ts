import type { Log } from '../log.ts'
import type { Closers } from './closers.ts'
import type { Config } from './config/schema.ts'
import type { Home } from './home.ts'
import type { NodeTuning } from './tuning.ts'

/** What every kind of node is built from. */
export interface NodeInput {
  readonly config: Config
  readonly home: Home
  readonly log: Log
  readonly closers: Closers
  readonly tuning: NodeTuning
  /** Ends a start that waits for something, such as a peer that shows the checkpoint. */
  readonly signal: AbortSignal
  /** Hears each second what a start that takes long is at, for a live line (the log is spared then); undefined: it is over. */
  readonly onStarting?: ((line: string | undefined) => void) | undefined
}
