import { blockHash } from '../../chain/domain.ts'
import type { Genesis } from '../../chain/genesis.ts'
import { equalBytes, toHex } from '../../codec/bytes.ts'
import type { Header } from '../../codec/generated/chain.ts'
import type { Anchor } from './anchor.ts'
import { type ConsistencyProofResult, checkConsistencyProof } from './consistency-proof.ts'
import { checkEventProof, type EventProofResult } from './event-proof.ts'
import { headerFault } from './form.ts'
import { checkHeaderProof, type HeaderProofResult } from './header-proof.ts'
import { type HistoryKey, keyText } from './history-key.ts'
import { checkHistoryProof, type HistoryProofResult } from './history-proof.ts'
import type {
  ConsistencyProofFile,
  EventProofFile,
  FileAnchor,
  HeaderProofFile,
  HistoryProofFile,
  ProofFile
} from './parse-proof.ts'
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
  /** Whose history the file is wanted for. */
  readonly key?: HistoryKey | undefined
}

export type FileResult = EventProofResult | HeaderProofResult | ConsistencyProofResult | HistoryProofResult

/** Checks a proof file with nothing but the genesis and the trusted blocks: no node, no network. Does not throw. */
export function verifyProofFile(file: EventProofFile, options: VerifyFileOptions): EventProofResult
export function verifyProofFile(file: HeaderProofFile, options: VerifyFileOptions): HeaderProofResult
export function verifyProofFile(file: ConsistencyProofFile, options: VerifyFileOptions): ConsistencyProofResult
export function verifyProofFile(file: HistoryProofFile, options: VerifyFileOptions): HistoryProofResult
export function verifyProofFile(file: ProofFile, options: VerifyFileOptions): FileResult
export function verifyProofFile(file: ProofFile, { genesis, trust, eventId, key }: VerifyFileOptions): FileResult {
  const checks = new Checks()
  const wrongChain = checkChain(checks, file, genesis)
  if (wrongChain !== undefined) return wrongChain
  if (eventId !== undefined && file.kind !== 'event') {
    return checks.fail('PROOF_WRONG_KIND', `the proof is of kind ${file.kind}; accepted for an event: event`)
  }
  if (key !== undefined && file.kind !== 'history') {
    return checks.fail('PROOF_WRONG_KIND', `the proof is of kind ${file.kind}; accepted for a history: history`)
  }
  if (file.kind === 'consistency') {
    const from = trustedHeader(checks, file.from, genesis, trust)
    if ('ok' in from) return from
    const to = trustedHeader(checks, file.to, genesis, trust)
    if ('ok' in to) return to
    return checkConsistencyProof(checks, file.proof, from, to, genesis)
  }
  if (file.kind === 'history') return checkHistoryFile(checks, file, { genesis, trust, key })
  // The parser has seen to it that the one or the other is there.
  const anchor = trustedAnchor(checks, file.anchor, file.anchor.header ?? (file.proof.header as Header), trust)
  if ('ok' in anchor) return anchor
  if (file.kind === 'header') return checkHeaderProof(checks, file.proof, anchor, genesis)
  // Both: the event has to be the one that the file says it is, too.
  if (eventId !== undefined && !equalBytes(eventId, file.eventId)) {
    const message = `the proof is for event ${toHex(file.eventId)}; asked for was ${toHex(eventId)}`
    return checks.fail('PROOF_WRONG_EVENT', message)
  }
  return checkEventProof(checks, file.proof, anchor, genesis, { eventId: file.eventId })
}

function checkHistoryFile(
  checks: Checks,
  file: HistoryProofFile,
  { genesis, trust, key }: VerifyFileOptions
): HistoryProofResult {
  const anchor = trustedAnchor(checks, file.anchor, file.anchor.header, trust)
  if ('ok' in anchor) return anchor
  if (key !== undefined && (key.index !== file.key.index || !equalBytes(key.key, file.key.key))) {
    return checks.fail('PROOF_WRONG_KEY', `the proof is of ${keyText(file.key)}; asked for was ${keyText(key)}`)
  }
  return checkHistoryProof(checks, file.proof, anchor, genesis, file.key)
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
  { height, hash }: FileAnchor,
  header: Header,
  trust: readonly TrustedBlock[]
): Anchor | ProofFailure {
  if (!isTrusted(trust, height, hash)) return untrusted(checks, 'the anchor', height, hash, trust)
  return { height, hash, header }
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
