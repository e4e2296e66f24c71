/** What consensus of one node is given, and what it tells of. */
import type { MolochError } from '../error.ts'
import type { Log } from '../log.ts'
import type { Evidence } from './evidence.ts'
import type { Clock, GossipPort, LedgerPort, MempoolPort, ProvenPeer, VerifierPort, VotePeersPort } from './ports.ts'
import type { Signer } from './signer.ts'

export interface DriverOptions {
  readonly ledger: LedgerPort
  readonly verifier: VerifierPort
  readonly mempool: MempoolPort
  readonly gossip: GossipPort
  readonly peers: VotePeersPort
  readonly log: Log
  /** Without one the node observes. */
  readonly signer?: Signer | undefined
  /** Asked before each height: false while the node lacks blocks of the last two windows (protocol §3). */
  readonly maySign?: () => boolean
  readonly clock?: Clock
  /** Whose clocks are compared with ours, and who counts as connected. */
  readonly proven?: () => readonly ProvenPeer[]
}

export interface DriverEvents {
  /** Gossip showed a certified block at this height, more than one above the tip: range sync is what helps. */
  behind: [{ readonly height: number; readonly peer: string }]
  evidence: [Evidence]
  /** This node decides nothing more: a conflicting certificate, or a ledger that takes no block. */
  halted: [Error]
  /** Nothing is signed until somebody did something; the node goes on as an observer. */
  'signer-stopped': [MolochError]
}
