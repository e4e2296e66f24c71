import type { Genesis } from '../chain/genesis.ts'
import { MAX_PAGE_IDS } from '../chain/history.ts'
import { HASH_BYTES } from '../chain/merkle.ts'
import { type GetProof, Proof } from '../codec/generated/sync.ts'
import { MolochError, messageOf } from '../error.ts'

/** An answer to a request for headers; nothing in it is trusted. */
export interface HeadersAnswer {
  /** Of the mountain range over blocks 0 … start − 1, largest first. */
  readonly peaks: readonly Uint8Array[]
  /** Encoded TrustedHeaders from `start` up, in order; a prefix of what was asked for, empty where the chain ends. */
  readonly headers: readonly Uint8Array[]
}

/** Where a light client gets what it then checks itself: peers, a web server, files. It may throw anything. */
export interface LightSource {
  /** @param start at least 1 */
  getHeaders(start: number, count: number): Promise<HeadersAnswer>
  /**
   * An encoded Proof for the request. An answer that refuses throws: a MolochError ANCHOR_TOO_OLD says that the anchor
   * does not cover what is to be proved (of a history: that its snapshot is not kept), UNKNOWN_EVENT that there is no such
   * event.
   */
  getProof(request: GetProof): Promise<Uint8Array>
}

/** Beside the event: two paths of at most 64 hashes, a header and tags. */
const PROOF_OVERHEAD_BYTES = 8 << 10
/** A page of ids and the way down a trie. */
const HISTORY_BYTES = (MAX_PAGE_IDS + 8 * HASH_BYTES) * (HASH_BYTES + 2) + PROOF_OVERHEAD_BYTES

/**
 * The one field of a proof that was asked for.
 * @throws MolochError PROOF_MALFORMED | PROOF_WRONG_KIND
 */
export function decodeProof<Kind extends 'event' | 'header' | 'consistency' | 'history'>(
  bytes: Uint8Array,
  kind: Kind,
  genesis: Genesis
): NonNullable<Proof[Kind]> {
  const max = kind === 'history' ? HISTORY_BYTES : genesis.params.maxEventBytes + PROOF_OVERHEAD_BYTES
  if (bytes.byteLength > max) {
    throw new MolochError('PROOF_MALFORMED', `proof is ${bytes.byteLength} bytes; accepted: at most ${max}`)
  }
  let decoded: Proof
  try {
    decoded = Proof.decode(bytes)
  } catch (error) {
    throw new MolochError('PROOF_MALFORMED', `proof is no protobuf: ${messageOf(error)}`)
  }
  const proof = decoded[kind]
  if (proof === undefined) throw new MolochError('PROOF_WRONG_KIND', `the answer holds no ${kind} proof`)
  return proof as NonNullable<Proof[Kind]>
}
