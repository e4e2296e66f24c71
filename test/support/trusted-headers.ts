import { type CheckedHeader, checkHeader } from '../../src/chain/check-header.ts'
import { blockHash } from '../../src/chain/domain.ts'
import { encodeHeader, genesisBlockHash, type Header } from '../../src/chain/header.ts'
import { leafHash } from '../../src/chain/merkle.ts'
import { Mmr } from '../../src/chain/mmr.ts'
import { signSeal } from '../../src/chain/proposal.ts'
import { signVote, VoteType } from '../../src/chain/vote.ts'
import { Commit, TrustedHeader } from '../../src/codec/generated/chain.ts'
import { joinTrustedHeader, splitBlock } from '../../src/codec/raw.ts'
import type { KeyPair } from '../../src/crypto/ed25519.ts'
import type { ChainMaker, MemoryChain } from './chain-maker.ts'

/** The encoded TrustedHeaders of a chain; the first is of height 1. */
export function trustedHeaders({ blocks, maker }: MemoryChain): Uint8Array[] {
  return blocks.map(({ blockBytes, commitBytes }, i) => {
    const { header, seal } = splitBlock(blockBytes)
    const mmrRoot = blocks[i + 1]?.header.mmrRoot ?? maker.head.tip.mmrRoot
    return joinTrustedHeader({ header, seal, commit: commitBytes, mmrRoot })
  })
}

/** What `checkHeader` makes of a header that is well-formed. */
export function checkedHeader({ genesis }: ChainMaker, bytes: Uint8Array): CheckedHeader {
  const result = checkHeader(genesis, bytes)
  if (!result.ok) throw new Error(`${result.failure.code} ${result.failure.message}`)
  return result.header
}

export interface HeaderChanges {
  readonly header?: Partial<Header>
  /** Indexes of the validators that sign the commit; the maker's if left out. */
  readonly signers?: readonly number[]
  /** Of validators or not, in place of the signers. */
  readonly keys?: readonly KeyPair[]
  readonly seal?: Uint8Array<ArrayBuffer>
  readonly commit?: Partial<Commit>
  readonly mmrRoot?: Uint8Array<ArrayBuffer>
}

/** `original` with changes, sealed by its proposer and certified anew: what only validators could make. */
export function remade(maker: ChainMaker, original: Uint8Array, changes: HeaderChanges): Uint8Array<ArrayBuffer> {
  const { genesis, validators } = maker
  const decoded = TrustedHeader.decode(original)
  const before = decoded.header as Header
  const header = { ...before, ...changes.header }
  const hash = blockHash(genesis.hash, header)
  const proposer = validators[genesis.validators.indexOf(before.proposer)] as KeyPair
  const { height } = header
  const keys = changes.keys ?? (changes.signers ?? maker.defaultSigners).map((index) => validators[index] as KeyPair)
  const slot = { type: VoteType.PRECOMMIT, height, round: 0, blockHash: hash }
  const signatures = keys.map((key) => signVote(genesis.hash, key, slot))
  const commit = { height, round: 0, blockHash: hash, signatures, ...changes.commit }
  return joinTrustedHeader({
    header: encodeHeader(header),
    seal: changes.seal ?? signSeal(genesis.hash, proposer, hash),
    commit: Commit.encode(commit),
    mmrRoot: changes.mmrRoot ?? decoded.mmrRoot
  })
}

/** Leaf hashes of blocks 0 … n. */
export function leavesOf({ genesis, blocks }: MemoryChain): Uint8Array[] {
  return [genesisBlockHash(genesis), ...blocks.map(({ hash }) => hash)].map((hash) => leafHash(hash))
}

/** Peaks of the range over the first `count` leaves. */
export function peaksOver(leaves: readonly Uint8Array[], count: number): Uint8Array[] {
  const mmr = new Mmr()
  for (const leaf of leaves.slice(0, count)) mmr.append(leaf)
  return mmr.peaks
}
