import { type FinalizedParts, joinTrustedHeader, sealedHeaderOf } from '../codec/raw.ts'

/** A row of its own adds at most this share to a block's bytes on disk; out of a smaller block it is cut quickly. */
const MIN_SHARE = 8

/** Encoded. @param mmrRoot after the block */
export function trustedHeader({ block, commit }: FinalizedParts, mmrRoot: Uint8Array): Uint8Array {
  return joinTrustedHeader({ ...sealedHeaderOf(block), commit, mmrRoot })
}

/** Whether a TrustedHeader is kept beside its block, for light clients that ask for many. */
export function hasRow(trusted: Uint8Array, { block, commit }: FinalizedParts): boolean {
  return MIN_SHARE * trusted.byteLength <= block.byteLength + commit.byteLength
}
