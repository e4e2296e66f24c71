import type { PrivateKey } from '@libp2p/interface'
import type { Genesis } from '../chain/genesis.ts'
import type { KeyPair } from '../crypto/ed25519.ts'
import type { Log } from '../log.ts'
import type { PeerRecords } from './known-peers.ts'
import type { NetworkSettings } from './settings.ts'
import type { TraceSink } from './trace/recorder.ts'
import type { NetworkPorts, NodeMode } from './types.ts'

export interface NetworkOptions {
  readonly genesis: Genesis
  readonly peerKey: PrivateKey
  /** A validator's validator key. */
  readonly chainKey: KeyPair
  readonly mode: NodeMode
  /** Multiaddrs; `/ip4/127.0.0.1/tcp/0` for any free port. */
  readonly listen: readonly string[]
  /** Multiaddrs told to others in place of those listened on. */
  readonly announce?: readonly string[]
  /** Multiaddrs, with or without `/p2p/…`. */
  readonly bootstrap: readonly string[]
  readonly mdns?: boolean
  readonly userAgent: string
  readonly ports: NetworkPorts
  readonly log: Log
  /** Where the address book outlives the process; undefined: it does not. */
  readonly records?: PeerRecords
  readonly settings?: Partial<NetworkSettings>
  /** Told of all that gossipsub does (trace/tap.ts), at once and in order. Absent, nothing of it is wrapped. */
  readonly trace?: TraceSink
  /** 0 … 1, for jitter; a seeded one makes tests repeatable. */
  readonly random?: () => number
  /** Own clock as peers are told of it, Unix ms; the system's if there is none. */
  readonly wallClock?: () => number
}
