import { blockHash } from '../chain/domain.ts'
import { eventId } from '../chain/event.ts'
import type { Genesis } from '../chain/genesis.ts'
import { toHex } from '../codec/bytes.ts'
import type { Header } from '../codec/generated/chain.ts'
import { SignedEvent } from '../codec/generated/event.ts'
import type { CompactProof, ConsistencyProof, HeaderProof } from '../codec/generated/proof.ts'
import type { Proof } from '../codec/generated/sync.ts'
import {
  type ConsistencyProofJson,
  type EventProofJson,
  type HeaderProofJson,
  PROOF_FORMAT,
  type ProofJson
} from './proof-schemas.ts'
import { headerJson } from './views.ts'

export interface ProofContext {
  readonly genesis: Pick<Genesis, 'chainId' | 'hash'>
  /** By height: those that the proof names and does not carry. */
  readonly headers: ReadonlyMap<number, Header>
}

/**
 * A proof as a file that can be checked offline by whoever trusts its anchor's hash.
 * @throws RangeError if a header is missing, or the proof is none
 */
export function proofToJson(proof: Proof, context: ProofContext): ProofJson {
  const { event, header, consistency } = proof
  if (event?.event !== undefined && event.header !== undefined) {
    return eventJson({ ...event, event: event.event, header: event.header }, context)
  }
  if (header?.header !== undefined) return headerProofJson({ ...header, header: header.header }, context)
  if (consistency !== undefined) return consistencyJson(consistency, context)
  throw new RangeError('a proof of nothing')
}

function eventJson(proof: Required<CompactProof>, context: ProofContext): EventProofJson {
  const { event, header } = proof
  return {
    format: PROOF_FORMAT,
    kind: 'event',
    ...chainOf(context),
    anchor: anchorJson(header, proof.anchorHeight, context),
    event: {
      id: toHex(eventId(event.actor, event.signature, event.body)),
      bytes: Buffer.from(SignedEvent.encode(event)).toString('base64'),
      index: proof.eventIndex,
      count: proof.eventCount,
      path: proof.eventPath.map(toHex)
    },
    header: headerJson(header),
    mmr_path: proof.mmrPath.map(toHex)
  }
}

function headerProofJson(proof: Required<HeaderProof>, context: ProofContext): HeaderProofJson {
  return {
    format: PROOF_FORMAT,
    kind: 'header',
    ...chainOf(context),
    anchor: anchorJson(proof.header, proof.anchorHeight, context),
    header: headerJson(proof.header),
    mmr_path: proof.mmrPath.map(toHex)
  }
}

function consistencyJson({ from, to, path }: ConsistencyProof, context: ProofContext): ConsistencyProofJson {
  return {
    format: PROOF_FORMAT,
    kind: 'consistency',
    ...chainOf(context),
    from: { height: from, header: headerJson(headerOf(from, context)) },
    to: { height: to, header: headerJson(headerOf(to, context)) },
    path: path.map(toHex)
  }
}

function chainOf({ genesis }: ProofContext): { chain_id: string; genesis_hash: string } {
  return { chain_id: genesis.chainId, genesis_hash: toHex(genesis.hash) }
}

/** What the reader has to trust; the header goes with it unless it is the one that is proven. */
function anchorJson(own: Header, anchorHeight: number, context: ProofContext): EventProofJson['anchor'] {
  const hashOf = (header: Header): string => toHex(blockHash(context.genesis.hash, header))
  if (anchorHeight === 0) return { height: own.height, hash: hashOf(own) }
  const header = headerOf(anchorHeight, context)
  return { height: anchorHeight, hash: hashOf(header), header: headerJson(header) }
}

function headerOf(height: number, { headers }: ProofContext): Header {
  const header = headers.get(height)
  if (header === undefined) throw new RangeError(`header ${height} is missing`)
  return header
}
