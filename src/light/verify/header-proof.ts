import type { Genesis } from '../../chain/genesis.ts'
import type { Header } from '../../codec/generated/chain.ts'
import type { HeaderProof } from '../../codec/generated/proof.ts'
import { type Anchor, type AnchoredHeader, checkAnchor, checkAnchoredHeader, checkAnchorHeight } from './anchor.ts'
import { headerFault, heightFault, pathFault } from './form.ts'
import { type CheckedStep, Checks, type ProofFailure } from './result.ts'

export interface ProvenHeader {
  readonly ok: true
  readonly header: Header
  /** The block hash. */
  readonly hash: Uint8Array
  readonly steps: readonly CheckedStep[]
}

export type HeaderProofResult = ProvenHeader | ProofFailure

export interface HeaderProofOptions {
  /** The height that was asked for: a proof of another one fails. */
  readonly height?: number | undefined
}

/**
 * Checks that the header is one of the chain that the anchor is a header of. With an `anchorHeight` of 0 it has to be the
 * anchor itself. Pure; nothing that a proof holds makes it throw.
 */
export function verifyHeaderProof(
  proof: HeaderProof,
  anchor: Anchor,
  genesis: Genesis,
  options: HeaderProofOptions = {}
): HeaderProofResult {
  return checkHeaderProof(new Checks(), proof, anchor, genesis, options)
}

/** The same after other checks. */
export function checkHeaderProof(
  checks: Checks,
  proof: HeaderProof,
  anchor: Anchor,
  genesis: Genesis,
  { height }: HeaderProofOptions = {}
): HeaderProofResult {
  const malformed =
    headerFault('header', proof.header) ??
    pathFault('mmr_path', proof.mmrPath) ??
    heightFault('anchor_height', proof.anchorHeight)
  if (malformed !== undefined) return checks.fail('PROOF_MALFORMED', malformed)
  const anchored: AnchoredHeader = { header: proof.header as Header, ...proof }
  const { header } = anchored
  checks.pass('form', 'every part is there, in its canonical form')
  const wrongAnchor = checkAnchor(checks, anchor, genesis) ?? checkAnchorHeight(checks, anchored, anchor)
  if (wrongAnchor !== undefined) return wrongAnchor
  if (height !== undefined && header.height !== height) {
    return checks.fail('PROOF_WRONG_HEADER', `the proof is for header ${header.height}; asked for was ${height}`)
  }
  const block = checkAnchoredHeader(checks, anchored, anchor, genesis)
  return block.ok ? { ok: true, header, hash: block.hash, steps: checks.passed } : block
}
