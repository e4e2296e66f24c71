import type { ApiSource } from '../api/source.ts'
import type { Mempool } from '../chain/mempool.ts'
import { toHex } from '../codec/bytes.ts'
import { type Abstention, abstentionCode, describeAbstention } from '../consensus/abstention.ts'
import type { KeyPair } from '../crypto/ed25519.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { stderrLines } from '../lines.ts'
import type { Network } from '../network/types.ts'
import type { Backfill } from '../sync/backfill/backfill.ts'
import type { SyncManager } from '../sync/manager.ts'
import type { EventIngress } from './ingress.ts'
import { VERSION } from './version.ts'

export interface ApiSourceParts {
  readonly ledger: Ledger
  readonly network: Network
  readonly sync: SyncManager
  /** Undefined: there is no history to fill in, or it is not to be. */
  readonly backfill: Backfill | undefined
  readonly mempool: Mempool
  readonly ingress: EventIngress
  readonly chainKey: KeyPair
  readonly mode: string
  readonly role: ApiSource['role']
  readonly abstention: () => Abstention | undefined
  readonly outlook: ApiSource['outlook']
  readonly pending: ApiSource['pending']
  readonly fault: ApiSource['fault']
}

/** The running node as the API shows it. */
export function apiSource(parts: ApiSourceParts): ApiSource {
  const { ledger, network, sync, backfill, mempool, ingress, role, mode, outlook, pending, fault } = parts
  const startedAt = performance.now()
  return {
    version: VERSION,
    genesis: ledger.genesis,
    peerId: network.peerId,
    role,
    mode,
    outlook,
    abstains: () => {
      const abstention = parts.abstention()
      if (abstention === undefined) return undefined
      return { code: abstentionCode(abstention), message: describeAbstention(abstention) }
    },
    chainKey: toHex(parts.chainKey.publicKey),
    uptimeSeconds: () => (performance.now() - startedAt) / 1000,
    chain: ledger,
    proofs: { prove: (request) => ledger.prove(request), headerAt: (height) => ledger.headerAt(height) },
    checkpoint: () => ledger.tip,
    snapshot: () => ledger.snapshots?.held(0)?.manifest.header,
    peers: () => network.sessions.list(),
    keyInUse: () => network.keyInUse(),
    peerBook: network,
    topics: () => network.topics(),
    addresses: () => network.addresses(),
    sync: () => ({ ...sync.state(), backfill: backfill?.state() }),
    pending,
    mempool: () => mempool.stats(),
    log: stderrLines(),
    fault,
    submit: (bytes, caller) => ingress.submit(bytes, caller),
    isPending: (id) => mempool.has(id),
    onFinalized: (listener) => ledger.on('finalized', ({ block }) => listener(block))
  }
}
