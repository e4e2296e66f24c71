import { blockHash } from '../../chain/domain.ts'
import type { Genesis } from '../../chain/genesis.ts'
import { HEADER_VERSION } from '../../chain/header.ts'
import { leafHash } from '../../chain/merkle.ts'
import { verifyInclusion } from '../../chain/merkle-proof.ts'
import { equalBytes, toHex } from '../../codec/bytes.ts'
import type { Header } from '../../codec/generated/chain.ts'
import { headerFault } from './form.ts'
import type { Checks, ProofFailure } from './result.ts'

/** A header that is trusted: a checkpoint, or one that a header chain has led to. A TrustedTip is one. */
export interface Anchor {
  readonly height: number
  readonly hash: Uint8Array
  readonly header: Header
}

/** Whether the anchor is what it says: its header has that height and hashes, on this chain, to that hash. */
export function checkAnchor(checks: Checks, anchor: Anchor, genesis: Genesis): ProofFailure | undefined {
  const malformed = headerFault('the anchor', anchor.header)
  if (malformed !== undefined) return checks.fail('PROOF_MALFORMED', malformed)
  const { height, hash, header } = anchor
  const made = blockHash(genesis.hash, header)
  if (header.height !== height || !equalBytes(made, hash)) {
    const given = `block ${header.height} ${toHex(made)}`
    return checks.fail('PROOF_WRONG_ANCHOR', `the anchor's header is ${given}; trusted is ${height} ${toHex(hash)}`)
  }
  return undefined
}

/** A proof's header, and how it hangs on the anchor. */
export interface AnchoredHeader {
  readonly header: Header
  readonly mmrPath: readonly Uint8Array[]
  /** 0: the header is the anchor itself. */
  readonly anchorHeight: number
}

/** Whether the proof was made for this anchor. */
export function checkAnchorHeight(
  checks: Checks,
  { header, anchorHeight }: AnchoredHeader,
  anchor: Anchor
): ProofFailure | undefined {
  const named = anchorHeight === 0 ? header.height : anchorHeight
  if (named !== anchor.height) {
    return checks.fail('PROOF_WRONG_ANCHOR', `the proof is for anchor ${named}; trusted is ${anchor.height}`)
  }
  if (anchorHeight !== 0 && header.height >= anchorHeight) {
    const message = `block ${header.height} is not below anchor ${anchorHeight}, which commits to the blocks before it`
    return checks.fail('PROOF_WRONG_ANCHOR', message)
  }
  checks.pass('anchor', `trusted is block ${anchor.height} ${toHex(anchor.hash)}`)
  return undefined
}

/** Whether the header is one of this chain and the anchor commits to it. @returns its block hash */
export function checkAnchoredHeader(
  checks: Checks,
  { header, mmrPath, anchorHeight }: AnchoredHeader,
  anchor: Anchor,
  genesis: Genesis
): { readonly ok: true; readonly hash: Uint8Array } | ProofFailure {
  if (header.version !== HEADER_VERSION) {
    return checks.fail('PROOF_HEADER', `header's version is ${header.version}; accepted: ${HEADER_VERSION}`)
  }
  for (const name of ['validatorsHash', 'nextValidatorsHash'] as const) {
    if (!equalBytes(header[name], genesis.validators.hash)) {
      const message = `header's ${name} is ${toHex(header[name])}; the genesis's is ${toHex(genesis.validators.hash)}`
      return checks.fail('PROOF_HEADER', message)
    }
  }
  const hash = blockHash(genesis.hash, header)
  checks.pass('header', `version ${header.version}, the validators of the genesis; block hash ${toHex(hash)}`)
  if (anchorHeight === 0) {
    if (!equalBytes(hash, anchor.hash)) {
      const message = `header ${header.height} hashes to ${toHex(hash)}; trusted is ${toHex(anchor.hash)}`
      return checks.fail('PROOF_BLOCK_HASH', message)
    }
    if (mmrPath.length > 0) {
      return checks.fail(
        'PROOF_MMR_PATH',
        `the path has ${mmrPath.length} hashes; accepted: none, for the anchor itself`
      )
    }
    checks.pass('block_hash', 'the header is the trusted one itself')
    return { ok: true, hash }
  }
  const leaf = { leafHash: leafHash(hash), index: header.height, size: anchorHeight, path: mmrPath }
  if (!verifyInclusion({ ...leaf, root: anchor.header.mmrRoot })) {
    const message = `${mmrPath.length} hashes do not lead from block ${header.height} to the mmr_root of ${anchorHeight}`
    return checks.fail('PROOF_MMR_PATH', message)
  }
  checks.pass(
    'mmr_path',
    `leaf ${header.height} of ${anchorHeight}, ${mmrPath.length} hashes to mmr_root ${toHex(anchor.header.mmrRoot)}`
  )
  return { ok: true, hash }
}
