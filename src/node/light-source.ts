import type { ApiSource, ChainView, LightView } from '../api/source.ts'
import { toHex } from '../codec/bytes.ts'
import { TrustedHeader } from '../codec/generated/chain.ts'
import { SignedEvent } from '../codec/generated/event.ts'
import type { KeyPair } from '../crypto/ed25519.ts'
import { MolochError } from '../error.ts'
import type { FoundEvent, SealedHeader } from '../ledger/ledger.ts'
import type { CrossCheck } from '../light/cross-check.ts'
import type { HeaderLookup } from '../light/header-lookup.ts'
import type { LightChain } from '../light/light-chain.ts'
import type { PeerProver } from '../light/peer-prover.ts'
import { stderrLines } from '../lines.ts'
import type { Network } from '../network/types.ts'
import { VERSION } from './version.ts'

export interface LightSourceParts {
  readonly chain: LightChain
  readonly network: Network
  readonly prover: PeerProver
  readonly lookup: HeaderLookup
  readonly crossCheck: CrossCheck
  readonly sync: ApiSource['sync']
  /** What the trust began with. */
  readonly checkpoint: () => LightView['checkpoint']
  readonly outlook: ApiSource['outlook']
  readonly chainKey: KeyPair
  readonly fault: ApiSource['fault']
}

/** A running light node as the API shows it: headers, and events with the proof that a peer gives for them. */
export function lightSource(parts: LightSourceParts): ApiSource {
  const { chain, network, prover } = parts
  const startedAt = performance.now()
  return {
    version: VERSION,
    genesis: chain.genesis,
    peerId: network.peerId,
    role: 'observer',
    mode: 'light',
    chainKey: toHex(parts.chainKey.publicKey),
    uptimeSeconds: () => (performance.now() - startedAt) / 1000,
    chain: chainView(parts),
    proofs: { prove: (request) => prover.prove(request), headerAt: (height) => headerAt(parts, height) },
    checkpoint: () => {
      if (parts.checkpoint() !== undefined) return chain.tip
      throw new MolochError('NOT_READY', 'this light node has no checkpoint yet')
    },
    light: () => ({ checkpoint: parts.checkpoint(), crossCheck: parts.crossCheck.last }),
    peers: () => network.sessions.list(),
    keyInUse: () => network.keyInUse(),
    peerBook: network,
    topics: () => network.topics(),
    addresses: () => network.addresses(),
    sync: parts.sync,
    outlook: parts.outlook,
    pending: () => undefined,
    mempool: () => ({ events: 0, bytes: 0 }),
    log: stderrLines(),
    fault: parts.fault,
    submit: async () => refuse('takes no events'),
    isPending: () => false,
    onFinalized: () => () => {}
  }
}

function chainView(parts: LightSourceParts): ChainView {
  const { chain } = parts
  return {
    get tip() {
      return chain.tip
    },
    eventTotal: null,
    get earliestHeight() {
      return chain.held[0]?.from ?? 0
    },
    holdsAll: false,
    sealedHeaderAt: (height) => sealedHeaderAt(parts, height),
    blockAt: async () => refuse('keeps no blocks'),
    heightOf: async () => refuse('keeps no blocks'),
    events: async () => refuse('keeps no events'),
    expiredEvents: async () => refuse('takes no events'),
    expiredEvent: async () => undefined,
    passedEvents: async () => refuse('takes no events'),
    passedEvent: async () => undefined,
    evidencePage: (cursor, limit, fits) => chain.evidencePage(cursor, limit, fits),
    heightOfEvent: async (id) => (await eventBy(parts, id))?.height,
    event: (id) => eventBy(parts, id)
  }
}

async function eventBy({ chain, prover }: LightSourceParts, id: Uint8Array): Promise<FoundEvent | undefined> {
  const eventId = id as Uint8Array<ArrayBuffer>
  const { event: proof } = await proveEvent(prover, eventId, chain.tip.height)
  if (proof?.event === undefined || proof.header === undefined) return undefined
  return { height: proof.header.height, index: proof.eventIndex, bytes: SignedEvent.encode(proof.event) }
}

/** Under the tip, or, if it is in the tip's own block, under that. */
async function proveEvent(prover: PeerProver, eventId: Uint8Array<ArrayBuffer>, anchorHeight: number) {
  try {
    return await prover.prove({ event: { eventId, anchorHeight } })
  } catch (error) {
    if (!(error instanceof MolochError) || error.code !== 'ANCHOR_TOO_OLD') throw error
    return prover.prove({ event: { eventId, anchorHeight: 0 } })
  }
}

async function headerAt(parts: LightSourceParts, height: number) {
  const found = await sealedHeaderAt(parts, height)
  return found && { header: found.header, hash: found.hash }
}

/** One that is not here any more or was skipped is fetched, and proven under the tip. */
async function sealedHeaderAt({ chain, lookup }: LightSourceParts, height: number): Promise<SealedHeader | undefined> {
  if (height > chain.tip.height) return undefined
  const held = await chain.headerAt(height)
  if (held !== undefined) {
    const row = await chain.trustedAt(height)
    const decoded = row && TrustedHeader.decode(row)
    return { ...held, seal: decoded?.seal ?? new Uint8Array(0), commit: decoded?.commit }
  }
  const { header, hash, seal, commit } = await lookup.at(height)
  return { header, hash, seal, commit }
}

function refuse(what: string): never {
  throw new MolochError(
    'LIGHT_NODE',
    `this is a light node, which ${what}: ask a full node, or here for /v1/headers/{height}, /v1/events/{id}, /v1/proofs/…`
  )
}
