/**
 * Every hashed and signed layout of the chain (protocol §3, §5, §6, §8, §9). Each begins with a domain string and the
 * genesis hash, so that nothing signed for one purpose or chain means anything for another. Integers are big-endian.
 *
 * Each layout is injective: two different values never have the same bytes, or what was signed as one could be shown as
 * the other. So every part has a fixed length, which is checked here, and only the last may be as long as it likes.
 */
import { concatBytes, u32be, u64be, utf8 } from '../codec/bytes.ts'
import type { VoteType } from '../codec/generated/chain.ts'
import { sha256 } from '../crypto/sha256.ts'
import type { HeaderFields } from './header-fields.ts'

type Bytes = Uint8Array<ArrayBuffer>

export const HASH_BYTES = 32
/** 32 zero bytes: the nonce not yet known, the root of an empty trie, the proposer of block 0. */
export const ZERO_HASH: Bytes = new Uint8Array(HASH_BYTES)

const HEADER = utf8('moloch/header/v1')
const EVENT = utf8('moloch/event/v1')
const SEAL = utf8('moloch/seal/v1')
const VOTE = utf8('moloch/vote/v1')
const PROPOSAL = utf8('moloch/proposal/v1')
const VOUCHER = utf8('moloch/voucher/v1')
const HELLO = utf8('moloch/hello/v1')
const STATE = utf8('moloch/state/v1')
const MANIFEST = utf8('moloch/manifest/v1')

/**
 * A part of 32 bytes: of another length it would lend bytes to its neighbours, or take some of theirs.
 * @throws RangeError
 */
function fixed(part: Uint8Array): Uint8Array {
  if (part.byteLength === HASH_BYTES) return part
  throw new RangeError(`${part.byteLength} bytes where the layout has ${HASH_BYTES}`)
}

/** @throws RangeError for a field that has no place in the layout */
export function blockHash(genesisHash: Uint8Array, header: HeaderFields): Bytes {
  return sha256(
    concatBytes(
      HEADER,
      fixed(genesisHash),
      u32be(header.version),
      u64be(header.height),
      fixed(header.parentHash),
      fixed(header.eventsRoot),
      u32be(header.eventCount),
      fixed(header.mmrRoot),
      fixed(header.stateRoot),
      fixed(header.validatorsHash),
      fixed(header.nextValidatorsHash),
      u64be(header.timestamp),
      fixed(header.proposer)
    )
  )
}

/** What an actor signs. `body` is the encoded EventBody. */
export function eventMessage(genesisHash: Uint8Array, body: Uint8Array): Bytes {
  return concatBytes(EVENT, fixed(genesisHash), body)
}

/** What a proposer signs as the block's seal. */
export function sealMessage(genesisHash: Uint8Array, hash: Uint8Array): Bytes {
  return concatBytes(SEAL, fixed(genesisHash), fixed(hash))
}

export interface VoteSlot {
  readonly type: `${VoteType}`
  readonly height: number
  readonly round: number
  /** Empty = nil. */
  readonly blockHash: Uint8Array
}

/**
 * A nil vote is the shorter by a hash. So it is no vote for any block, not even for one that nobody can have: a relay
 * could else say the one as the other.
 * @throws RangeError for a vote of no type, or for what is no hash
 */
export function voteMessage(genesisHash: Uint8Array, { type, height, round, blockHash }: VoteSlot): Bytes {
  const hash = blockHash.byteLength === 0 ? blockHash : fixed(blockHash)
  return concatBytes(VOTE, fixed(genesisHash), Uint8Array.of(voteTypeByte(type)), u64be(height), u32be(round), hash)
}

function voteTypeByte(type: VoteSlot['type']): number {
  if (type === 'PREVOTE') return 1
  if (type === 'PRECOMMIT') return 2
  throw new RangeError(`${type} is no type of vote`)
}

export interface ProposalSlot {
  readonly height: number
  readonly round: number
  readonly validRound?: number | undefined
  readonly blockHash: Uint8Array
}

/** @throws RangeError for a valid round that has no next one, or for what is no hash */
export function proposalMessage(genesisHash: Uint8Array, proposal: ProposalSlot): Bytes {
  const validRound = proposal.validRound === undefined ? 0 : proposal.validRound + 1
  return concatBytes(
    PROPOSAL,
    fixed(genesisHash),
    u64be(proposal.height),
    u32be(proposal.round),
    u32be(validRound),
    fixed(proposal.blockHash)
  )
}

/** What a validator signs that vouches for events. @param hash of the encoded Events without a voucher */
export function voucherMessage(genesisHash: Uint8Array, hash: Uint8Array): Bytes {
  return concatBytes(VOUCHER, fixed(genesisHash), fixed(hash))
}

export interface HelloSlot {
  /** 1 Hello, 2 HelloAck. */
  readonly role: 1 | 2
  readonly initiatorNonce: Uint8Array
  /** 32 zero bytes in Hello. */
  readonly responderNonce: Uint8Array
  /** Raw multihash of the peer id, as the secured connection has it. */
  readonly initiatorPeerId: Uint8Array
  readonly responderPeerId: Uint8Array
}

export function helloMessage(genesisHash: Uint8Array, hello: HelloSlot): Bytes {
  return concatBytes(
    HELLO,
    fixed(genesisHash),
    Uint8Array.of(hello.role),
    fixed(hello.initiatorNonce),
    fixed(hello.responderNonce),
    sha256(hello.initiatorPeerId),
    sha256(hello.responderPeerId)
  )
}

/** `state_root` from the roots of the three index tries (protocol §6). */
export function stateRootHash(
  eventTotal: number,
  validatorsHash: Uint8Array,
  actorRoot: Uint8Array,
  resourceRoot: Uint8Array,
  actionRoot: Uint8Array
): Bytes {
  const roots = [validatorsHash, actorRoot, resourceRoot, actionRoot].map(fixed)
  return sha256(concatBytes(STATE, u64be(eventTotal), ...roots))
}

/**
 * Names a snapshot: two servers that have it agree on the name, whichever seal and commit of block H they hold.
 * @param body the encoded Manifest without `trusted` and `checkpoint_path`
 */
export function manifestId(genesisHash: Uint8Array, hash: Uint8Array, body: Uint8Array): Bytes {
  return sha256(concatBytes(MANIFEST, fixed(genesisHash), fixed(hash), body))
}
