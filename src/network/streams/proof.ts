import { HASH_BYTES } from '../../chain/domain.ts'
import { MAX_KEY_BYTES } from '../../chain/event-bounds.ts'
import { MAX_PAGE_IDS } from '../../chain/history.ts'
import { assertCanonical } from '../../codec/canonical.ts'
import { shapeOf } from '../../codec/field-count.ts'
import { GetProof, Proof } from '../../codec/generated/sync.ts'
import { PROOF } from '../../codec/rules.ts'
import { messageOf } from '../../error.ts'
import { networkError } from '../errors.ts'
import type { ProvingPorts } from '../types.ts'
import type { Frame } from './frames.ts'
import { assertHeight, decoded, type Wire } from './messages.ts'
import { REFUSABLE, throwIfRefused } from './refusal.ts'
import type { Handler } from './server.ts'

/** No path is longer: heights are below 2⁵³. */
const MAX_PATH = 64
/** Two paths, a header, a few numbers, and the fields around them. */
const ROOM_BYTES = 2 * MAX_PATH * (HASH_BYTES + 2) + 1024

/** A page of ids and the way down a trie, which is as deep as a hash has bits. */
const MAX_HISTORY_BYTES = (MAX_PAGE_IDS + 8 * HASH_BYTES) * (HASH_BYTES + 2) + 1024
/** A page of ids, paths, a header, and what is around them. */
const MAX_PROOF_FIELDS = MAX_PAGE_IDS + 1024

export const GET_PROOF: Wire<GetProof> = {
  name: 'get proof',
  codec: GetProof,
  shape: {
    1: { 1: 'bytes', 2: 'u64' },
    2: { 1: 'u64', 2: 'u64' },
    3: { 1: 'u64', 2: 'u64' },
    4: { 1: 'u32', 2: 'bytes', 3: 'u64', 4: 'u64', 5: 'bytes' }
  }
}
export const PROOF_ANSWER: Wire<Proof> = { name: 'proof', codec: Proof, shape: { ...shapeOf(PROOF), ...REFUSABLE } }

/** Reading a byte costs that part of sending one. */
const READ_SHARE = 16

/** No answer to the request is longer. Against frames that are made as long as a block's may be. */
export function maxProofBytes(request: GetProof, maxEventBytes: number): number {
  return request.history === undefined ? maxEventBytes + ROOM_BYTES : MAX_HISTORY_BYTES
}

export function makeGetProof(request: GetProof): Uint8Array {
  return GetProof.encode(request)
}

/** Answers GetProof with one frame; the refusals say why there is no such proof. */
export function serveProof(prove: ProvingPorts['prove']): Handler {
  return async function* (frame, { charge }) {
    const request = decoded(GET_PROOF, frame)
    assertProofRequest(request)
    yield Proof.encode(await prove(request, (bytes) => charge({ bytes: bytes / READ_SHARE })))
  }
}

/** Canonical, and of the kind asked for. @throws MolochError BAD_FRAME, or the refusal's code */
export function readProof(frame: Frame, request: GetProof, peer: string): Proof {
  const proof = decoded(PROOF_ANSWER, frame, MAX_PROOF_FIELDS)
  throwIfRefused(proof.refusal, described(request), peer)
  try {
    assertCanonical(PROOF, frame)
  } catch (error) {
    throw networkError('BAD_FRAME', `proof: ${messageOf(error)}`, { peer })
  }
  const kinds = kindsOf(proof)
  if (kinds.length === 1 && kinds[0] === kindsOf(request)[0]) return proof
  throw networkError('BAD_FRAME', `${described(request)} answered with ${kinds.join(' and ') || 'nothing'}`, { peer })
}

/** @throws MolochError BAD_REQUEST | BAD_FRAME */
export function assertProofRequest(request: GetProof): void {
  const kinds = kindsOf(request)
  if (kinds.length !== 1) {
    const asked = kinds.length === 0 ? 'no proof' : `proofs of ${kinds.join(' and ')}`
    throw networkError('BAD_REQUEST', `${asked} in one request; accepted: one of ${KINDS.join(', ')}`)
  }
  const { event, header, consistency, history } = request
  if (event !== undefined && event.eventId.byteLength !== HASH_BYTES) {
    const has = `an event id of ${event.eventId.byteLength} bytes`
    throw networkError('BAD_REQUEST', `${has}; accepted: ${HASH_BYTES}`)
  }
  for (const [name, value] of Object.entries({ ...header, ...consistency })) assertHeight(name, value)
  if (event !== undefined) assertHeight('anchor height', event.anchorHeight)
  if (history === undefined) return
  assertHeight('anchor height', history.anchorHeight)
  assertHeight('before count', history.beforeCount)
  if (history.key.byteLength > MAX_KEY_BYTES) {
    throw networkError('BAD_REQUEST', `a key of ${history.key.byteLength} bytes; accepted: at most ${MAX_KEY_BYTES}`)
  }
}

type Kind = 'event' | 'header' | 'consistency' | 'history'
const KINDS: readonly Kind[] = ['event', 'header', 'consistency', 'history']

function kindsOf(message: GetProof | Proof): Kind[] {
  return KINDS.filter((kind) => message[kind] !== undefined)
}

function described(request: GetProof): string {
  const [kind] = kindsOf(request)
  return `${kind === 'event' || kind === 'header' ? `${kind} inclusion` : kind} proof`
}
