/** What a message says of itself, before anything of it is checked. */
import { checkCommit, decodeCommit } from '../chain/commit.ts'
import { blockHash } from '../chain/domain.ts'
import type { Genesis } from '../chain/genesis.ts'
import { equalBytes, toHex } from '../codec/bytes.ts'
import { joinFinalized, splitFinalized, splitNewBlock } from '../codec/raw.ts'
import { headerOfBlock } from './held.ts'

/** Enough to know the slot; unchecked. */
export function peekProposal(
  genesisHash: Uint8Array,
  payload: Uint8Array
): { height: number; round: number; validRound: number; hash: string } | undefined {
  try {
    const { round, validRound, block } = splitNewBlock(payload)
    const header = headerOfBlock(block)
    // Block 0 is nobody's to propose: a header that says so is none.
    if (header.height === 0) return undefined
    const hash = toHex(blockHash(genesisHash, header))
    return { height: header.height, round, validRound: validRound ?? -1, hash }
  } catch {
    return undefined
  }
}

export interface SeenFinalized {
  readonly height: number
  readonly hash: Uint8Array
  readonly blockBytes: Uint8Array
  readonly commitBytes: Uint8Array
}

/** Unchecked, but of the one form that it may have: in any other the same block would be news again, and rejected elsewhere. */
export function peekFinalized(genesisHash: Uint8Array, payload: Uint8Array): SeenFinalized | undefined {
  try {
    const { block, commit } = splitFinalized(payload)
    if (!equalBytes(joinFinalized(block, commit), payload)) return undefined
    const header = headerOfBlock(block)
    return { height: header.height, hash: blockHash(genesisHash, header), blockBytes: block, commitBytes: commit }
  } catch {
    return undefined
  }
}

/** The code of what is wrong with the commit. */
export function commitFailure(genesis: Genesis, bytes: Uint8Array, block: Parameters<typeof checkCommit>[2]) {
  try {
    return checkCommit(genesis, decodeCommit(bytes), block)?.code
  } catch {
    return 'NON_CANONICAL'
  }
}
