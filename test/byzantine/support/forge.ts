import { type Commit, decodeCommit, encodeCommit } from '../../../src/chain/commit.ts'
import { blockHash, sealMessage } from '../../../src/chain/domain.ts'
import { encodeHeader } from '../../../src/chain/header.ts'
import { signVote, VoteType } from '../../../src/chain/vote.ts'
import { Header } from '../../../src/codec/generated/chain.ts'
import { joinBlock, joinFinalized, splitBlock, splitFinalized } from '../../../src/codec/raw.ts'
import { type KeyPair, keyPairFromSeed, sign } from '../../../src/crypto/ed25519.ts'
import type { MemoryChain } from '../../support/chain-maker.ts'

type Bytes = Uint8Array<ArrayBuffer>

/** A key of nobody that the genesis names. */
export const OUTSIDER: KeyPair = keyPairFromSeed(new Uint8Array(32).fill(0x66))

/** What of a block is put in place of the honest one's. */
export interface Change {
  readonly header?: (header: Header) => Partial<Header>
  readonly events?: (events: readonly Bytes[]) => readonly Bytes[]
  readonly seal?: (seal: Bytes) => Uint8Array
}

/** Signatures of a commit: each key over its own slot, which need not be the block's. */
export interface Signing {
  readonly key: KeyPair
  readonly round?: number
  readonly type?: VoteType
  readonly genesisHash?: Uint8Array
}

/** Makes bad blocks of good ones. */
export class Forge {
  readonly #chain: MemoryChain

  constructor(chain: MemoryChain) {
    this.#chain = chain
  }

  get validators(): readonly KeyPair[] {
    return this.#chain.maker.validators
  }

  get quorum(): number {
    return this.#chain.genesis.validators.quorum
  }

  get genesisHash(): Uint8Array {
    return this.#chain.genesis.hash
  }

  /** The honest FinalizedBlock. */
  honest(height: number): Uint8Array {
    return this.#chain.frames[height - 1] as Uint8Array
  }

  /** Encoded SignedEvents. */
  events(height: number): readonly Bytes[] {
    return splitBlock(splitFinalized(this.honest(height)).block).events as Bytes[]
  }

  commit(height: number): Commit {
    return decodeCommit(splitFinalized(this.honest(height)).commit)
  }

  /** The changed block, sealed and certified anew: the work of a quorum that broke the rules. */
  certified(height: number, change: Change): Uint8Array {
    const block = this.#changed(height, change)
    const signers = this.validators.slice(0, this.quorum).map((key) => ({ key }))
    return joinFinalized(block.bytes, encodeCommit(this.commitOf(block.header, signers)))
  }

  /** The changed block, sealed anew, with the commit of the block that it was: what a single hostile peer can do. */
  uncertified(height: number, change: Change): Uint8Array {
    const { commit } = splitFinalized(this.honest(height))
    return joinFinalized(this.#changed(height, change).bytes, commit)
  }

  /** The honest block with another commit. */
  withCommit(height: number, commit: Commit): Uint8Array {
    return joinFinalized(splitFinalized(this.honest(height)).block, encodeCommit(commit))
  }

  /** A commit of the honest block, each signature but for `how` as it should be. */
  signedBy(height: number, how: Omit<Signing, 'key'>, keys = this.validators.slice(0, this.quorum)): Commit {
    return this.commitOf(
      this.#header(height),
      keys.map((key) => ({ key, ...how }))
    )
  }

  /** A commit of any header by whoever is named. */
  commitOf(header: Header, signers: readonly Signing[]): Commit {
    const { height } = header
    const hash = blockHash(this.genesisHash, header)
    const signatures = signers.map(({ key, round = 0, type = VoteType.PRECOMMIT, genesisHash = this.genesisHash }) => {
      const { validator, signature } = signVote(genesisHash, key, { type, height, round, blockHash: hash })
      return { validator, signature }
    })
    return { height, round: 0, blockHash: hash, signatures }
  }

  #header(height: number): Header {
    return Header.decode(splitBlock(splitFinalized(this.honest(height)).block).header)
  }

  #changed(height: number, change: Change): { readonly bytes: Uint8Array; readonly header: Header } {
    const parts = splitBlock(splitFinalized(this.honest(height)).block)
    const before = Header.decode(parts.header)
    const header = { ...before, ...change.header?.(before) }
    const proposer = this.validators.find(({ publicKey }) => Buffer.from(publicKey).equals(before.proposer)) as KeyPair
    const hash = blockHash(this.genesisHash, header)
    const resealed = change.header === undefined ? parts.seal : sign(proposer, sealMessage(this.genesisHash, hash))
    const seal = change.seal?.(resealed as Bytes) ?? resealed
    const events = change.events?.(parts.events as Bytes[]) ?? parts.events
    return { bytes: joinBlock(encodeHeader(header), seal, events), header }
  }
}

/** The bytes with one bit of the last byte the other way. */
export function flipped(bytes: Uint8Array): Bytes {
  const copy = new Uint8Array(bytes)
  copy[copy.length - 1] = (copy.at(-1) as number) ^ 1
  return copy
}
