import { blockHash } from '../../chain/domain.ts'
import type { Genesis } from '../../chain/genesis.ts'
import { equalBytes, toHex } from '../../codec/bytes.ts'
import type { Header } from '../../codec/generated/chain.ts'
import type { Anchor } from './anchor.ts'
import { type ConsistencyProofResult, checkConsistencyProof } from './consistency-proof.ts'
import { checkEventProof, type EventProofResult } from './event-proof.ts'
import { headerFault } from './form.ts'
import { checkHeaderProof, type HeaderProofResult } from './header-proof.ts'
import type { ConsistencyProofFile, EventProofFile, HeaderProofFile, ProofFile } from './parse-proof.ts'
import { Checks, type ProofFailure } from './result.ts'

/** A block that somebody trusts: all of it follows from its hash. */
export interface TrustedBlock {
  readonly height: number
  readonly hash: Uint8Array
}

export interface VerifyFileOptions {
  readonly genesis: Genesis
  /** The trusted blocks: the anchor has to be one of them; of a consistency proof both ends. */
  readonly trust: readonly TrustedBlock[]
  /** The event that the file is wanted for. */
  readonly eventId?: Uint8Array | undefined
}

export type FileResult = EventProofResult | HeaderProofResult | ConsistencyProofResult

/** Checks a proof file with nothing but the genesis and the trusted blocks: no node, no network. Does not throw. */
export function verifyProofFile(file: EventProofFile, options: VerifyFileOptions): EventProofResult
export function verifyProofFile(file: HeaderProofFile, options: VerifyFileOptions): HeaderProofResult
export function verifyProofFile(file: ConsistencyProofFile, options: VerifyFileOptions): ConsistencyProofResult
export function verifyProofFile(file: ProofFile, options: VerifyFileOptions): FileResult
export function verifyProofFile(file: ProofFile, { genesis, trust, eventId }: VerifyFileOptions): FileResult {
  const checks = new Checks()
  const wrongChain = checkChain(checks, file, genesis)
  if (wrongChain !== undefined) return wrongChain
  if (eventId !== undefined && file.kind !== 'event') {
    return checks.fail('PROOF_WRONG_KIND', `the proof is of kind ${file.kind}; accepted for an event: event`)
  }
  if (file.kind === 'consistency') {
    const from = trustedHeader(checks, file.from, genesis, trust)
    if ('ok' in from) return from
    const to = trustedHeader(checks, file.to, genesis, trust)
    if ('ok' in to) return to
    return checkConsistencyProof(checks, file.proof, from, to, genesis)
  }
  const anchor = trustedAnchor(checks, file, trust)
  if ('ok' in anchor) return anchor
  if (file.kind === 'header') return checkHeaderProof(checks, file.proof, anchor, genesis)
  // Both: the event has to be the one that the file says it is, too.
  if (eventId !== undefined && !equalBytes(eventId, file.eventId)) {
    const message = `the proof is for event ${toHex(file.eventId)}; asked for was ${toHex(eventId)}`
    return checks.fail('PROOF_WRONG_EVENT', message)
  }
  return checkEventProof(checks, file.proof, anchor, genesis, { eventId: file.eventId })
}

function checkChain(checks: Checks, file: ProofFile, genesis: Genesis): ProofFailure | undefined {
  if (file.chainId !== genesis.chainId || !equalBytes(file.genesisHash, genesis.hash)) {
    const [its, ours] = [`${file.chainId} ${toHex(file.genesisHash)}`, `${genesis.chainId} ${toHex(genesis.hash)}`]
    return checks.fail('PROOF_WRONG_CHAIN', `the proof is of chain ${its}; accepted: ${ours}`)
  }
  checks.pass('chain', `chain ${genesis.chainId}, genesis ${toHex(genesis.hash)}`)
  return undefined
}

function trustedAnchor(
  checks: Checks,
  { anchor: { height, hash, header }, proof }: EventProofFile | HeaderProofFile,
  trust: readonly TrustedBlock[]
): Anchor | ProofFailure {
  if (!isTrusted(trust, height, hash)) return untrusted(checks, 'the anchor', height, hash, trust)
  // The parser has seen to it that the one or the other is there.
  return { height, hash, header: header ?? (proof.header as Header) }
}

function trustedHeader(
  checks: Checks,
  header: Header,
  genesis: Genesis,
  trust: readonly TrustedBlock[]
): Anchor | ProofFailure {
  const malformed = headerFault(`header ${header.height}`, header)
  if (malformed !== undefined) return checks.fail('PROOF_MALFORMED', malformed)
  const hash = blockHash(genesis.hash, header)
  if (!isTrusted(trust, header.height, hash)) return untrusted(checks, 'an end', header.height, hash, trust)
  return { height: header.height, hash, header }
}

function isTrusted(trust: readonly TrustedBlock[], height: number, hash: Uint8Array): boolean {
  return trust.some((block) => block.height === height && equalBytes(block.hash, hash))
}

function untrusted(
  checks: Checks,
  what: string,
  height: number,
  hash: Uint8Array,
  trust: readonly TrustedBlock[]
): ProofFailure {
  const trusted = trust.map((block) => `${block.height}:${toHex(block.hash)}`).join(', ')
  return checks.fail('PROOF_WRONG_ANCHOR', `${what} is ${height}:${toHex(hash)}; trusted is ${trusted || 'none'}`)
}
