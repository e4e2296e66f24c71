import type { Genesis } from '../../chain/genesis.ts'
import { verifyConsistency } from '../../chain/merkle-proof.ts'
import { toHex } from '../../codec/bytes.ts'
import type { ConsistencyProof } from '../../codec/generated/proof.ts'
import { type Anchor, checkAnchor } from './anchor.ts'
import { heightFault, pathFault } from './form.ts'
import { type CheckedStep, Checks, type ProofFailure } from './result.ts'

export type ConsistencyProofResult =
  | { readonly ok: true; readonly from: Anchor; readonly to: Anchor; readonly steps: readonly CheckedStep[] }
  | ProofFailure

/**
 * Checks that the history under the header `to` goes on from the one under the header `from`: nothing before `from` was
 * taken out or changed. Both headers are somebody's word that is checked against the other: of a header that nobody
 * vouches for, nothing but its mmr_root would be bound. Pure; nothing that a proof holds makes it throw.
 */
export function verifyConsistencyProof(
  proof: ConsistencyProof,
  from: Anchor,
  to: Anchor,
  genesis: Genesis
): ConsistencyProofResult {
  return checkConsistencyProof(new Checks(), proof, from, to, genesis)
}

/** The same after other checks. */
export function checkConsistencyProof(
  checks: Checks,
  proof: ConsistencyProof,
  from: Anchor,
  to: Anchor,
  genesis: Genesis
): ConsistencyProofResult {
  const malformed = heightFault('from', proof.from) ?? heightFault('to', proof.to) ?? pathFault('path', proof.path)
  if (malformed !== undefined) return checks.fail('PROOF_MALFORMED', malformed)
  checks.pass('form', 'every part is there, in its canonical form')
  for (const anchor of [from, to]) {
    const wrong = checkAnchor(checks, anchor, genesis)
    if (wrong !== undefined) return wrong
  }
  if (proof.from !== from.height || proof.to !== to.height || from.height > to.height) {
    const message = `the proof is from ${proof.from} to ${proof.to}; trusted are ${from.height} and ${to.height}`
    return checks.fail('PROOF_WRONG_ANCHOR', message)
  }
  checks.pass('anchor', `trusted are blocks ${from.height} ${toHex(from.hash)} and ${to.height} ${toHex(to.hash)}`)
  const roots = { fromRoot: from.header.mmrRoot, toRoot: to.header.mmrRoot }
  if (!verifyConsistency({ from: proof.from, to: proof.to, path: proof.path, ...roots })) {
    const message = `${proof.path.length} hashes do not lead from the mmr_root of ${proof.from} to that of ${proof.to}`
    return checks.fail('PROOF_CONSISTENCY_PATH', message)
  }
  checks.pass('consistency_path', `${proof.path.length} hashes: the first ${proof.from} blocks are the same`)
  return { ok: true, from, to, steps: checks.passed }
}
