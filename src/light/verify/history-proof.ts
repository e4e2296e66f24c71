import type { Genesis } from '../../chain/genesis.ts'
import { checkHistoryPage, pageLength } from '../../chain/history.ts'
import { carriesState, type StateIndex } from '../../chain/state.ts'
import { type Proven, verifyKey } from '../../chain/trie-proof.ts'
import type { IndexEntry } from '../../chain/trie-record.ts'
import { toHex } from '../../codec/bytes.ts'
import type { HistoryPage, HistoryProof, KeyProof } from '../../codec/generated/proof.ts'
import { sha256 } from '../../crypto/sha256.ts'
import { type Anchor, checkAnchor } from './anchor.ts'
import { heightFault, historyPagesFault, keyProofFault } from './form.ts'
import { type HistoryKey, keyText } from './history-key.ts'
import { type CheckedStep, Checks, type ProofFailure } from './result.ts'

export interface ProvenHistory {
  readonly ok: true
  readonly key: HistoryKey
  /** All blocks before this one are spoken of. */
  readonly anchor: Anchor
  /** Every event of the key, in the order of the chain; none: the key is absent. */
  readonly ids: readonly Uint8Array[]
  readonly steps: readonly CheckedStep[]
}

export type HistoryProofResult = ProvenHistory | ProofFailure

/** What an answer that is one page of a history proves. */
export interface ProvenPage {
  readonly ok: true
  /** In the order of the chain. */
  readonly ids: readonly Uint8Array[]
  /** Count and head of the key's events before the page: what the next page ends with. Undefined: there are none. */
  readonly left: IndexEntry | undefined
}

/**
 * Checks that the pages hold every event of the key in the blocks before the anchor, in order and no other, or that there
 * is none. The anchor's height has to be one that carries a newly computed state_root. Pure: no I/O, no clock; nothing that
 * a proof holds makes it throw. The first fault is what is reported.
 */
export function verifyHistoryProof(
  proof: HistoryProof,
  anchor: Anchor,
  genesis: Genesis,
  key: HistoryKey
): HistoryProofResult {
  return checkHistoryProof(new Checks(), proof, anchor, genesis, key)
}

/** The same after other checks. */
export function checkHistoryProof(
  checks: Checks,
  proof: HistoryProof,
  anchor: Anchor,
  genesis: Genesis,
  key: HistoryKey
): HistoryProofResult {
  const state = checkState(checks, proof, anchor, genesis, key)
  if (!state.ok) return state
  const { entry } = state
  const { pages } = proof
  const misfit = lengthFault(entry?.count ?? 0, pages)
  if (misfit !== undefined) return checks.fail('PROOF_HISTORY_LENGTH', misfit)
  checks.pass('history_length', `${entry?.count ?? 0} events in ${pages.length} pages, down to the first`)
  if (entry === null) return { ok: true, key, anchor, ids: [], steps: checks.passed }
  let known = entry
  for (const [at, page] of pages.entries()) {
    const before = checkHistoryPage(known, page)
    if (before === undefined) return checks.fail('PROOF_HISTORY_PAGE', pageFault(at, known))
    known = before
  }
  checks.pass('history_page', `the ids of every page fold to its head, the first from zeros`)
  return { ok: true, key, anchor, ids: pages.toReversed().flatMap(({ ids }) => ids), steps: checks.passed }
}

/** What the first answer has to hold: what the state says of the key, and the newest page of its events. */
export function verifyHistoryStart(
  answer: HistoryProof,
  anchor: Anchor,
  genesis: Genesis,
  key: HistoryKey
): ProvenPage | ProofFailure {
  const checks = new Checks()
  const state = checkState(checks, answer, anchor, genesis, key)
  if (!state.ok) return state
  if (state.entry !== null) return checkOnePage(checks, answer.pages, state.entry)
  if (answer.pages.length === 0) return { ok: true, ids: [], left: undefined }
  return checks.fail('PROOF_HISTORY_LENGTH', `${answer.pages.length} pages of a key that has no events`)
}

/** What an answer that goes on has to hold: the page that ends with the events whose count and head are known. */
export function verifyHistoryPage(
  answer: HistoryProof,
  anchorHeight: number,
  known: IndexEntry
): ProvenPage | ProofFailure {
  const checks = new Checks()
  const malformed = heightFault('anchor_height', answer.anchorHeight) ?? historyPagesFault(answer.pages)
  if (malformed !== undefined) return checks.fail('PROOF_MALFORMED', malformed)
  if (answer.state !== undefined) return checks.fail('PROOF_MALFORMED', 'state is there in an answer that goes on')
  if (answer.anchorHeight !== anchorHeight) return wrongAnchor(checks, answer, anchorHeight)
  return checkOnePage(checks, answer.pages, known)
}

function checkOnePage(checks: Checks, pages: readonly HistoryPage[], known: IndexEntry): ProvenPage | ProofFailure {
  const [page] = pages
  const length = pageLength(known.count)
  if (page === undefined || pages.length > 1 || page.ids.length !== length) {
    const given = `${pages.map(({ ids }) => ids.length).join(' and ') || 'no'} ids`
    return checks.fail('PROOF_HISTORY_LENGTH', `${given} up to event ${known.count}; accepted: one page of ${length}`)
  }
  const before = checkHistoryPage(known, page)
  if (before === undefined) return checks.fail('PROOF_HISTORY_PAGE', pageFault(0, known))
  return { ok: true, ids: page.ids, left: before.count === 0 ? undefined : before }
}

/** Form and anchor of a proof, and what the anchor's state says of the key; null: that it has no events. */
function checkState(
  checks: Checks,
  proof: HistoryProof,
  anchor: Anchor,
  genesis: Genesis,
  { index, key }: HistoryKey
): { readonly ok: true; readonly entry: IndexEntry | null } | ProofFailure {
  const malformed =
    heightFault('anchor_height', proof.anchorHeight) ?? keyProofFault(proof.state) ?? historyPagesFault(proof.pages)
  if (malformed !== undefined) return checks.fail('PROOF_MALFORMED', malformed)
  checks.pass('form', 'every part is there, in its canonical form')
  const untrue = checkAnchor(checks, anchor, genesis)
  if (untrue !== undefined) return untrue
  if (proof.anchorHeight !== anchor.height) return wrongAnchor(checks, proof, anchor.height)
  if (!carriesState(genesis.params, anchor.height)) {
    const every = genesis.params.snapshotInterval
    const message = `block ${anchor.height} carries no state of its own; accepted: a multiple of ${every}`
    return checks.fail('PROOF_WRONG_ANCHOR', message)
  }
  checks.pass('anchor', `trusted is block ${anchor.height} ${toHex(anchor.hash)}, with the state before it`)
  const state = proof.state as KeyProof
  const entry = provenOf(state, anchor, index, key)
  if (entry === undefined) {
    const message = `${state.siblings.length} hashes do not lead from ${keyText({ index, key })} to the anchor's state_root`
    return checks.fail('PROOF_KEY_PATH', message)
  }
  const says = entry === null ? 'has no events' : `has ${entry.count} events, head ${toHex(entry.head)}`
  checks.pass(
    'key_path',
    `${state.siblings.length} hashes to state_root ${toHex(anchor.header.stateRoot)}: ${keyText({ index, key })} ${says}`
  )
  return { ok: true, entry }
}

function provenOf(
  { eventTotal, otherRoots, siblings, leaf }: KeyProof,
  anchor: Anchor,
  index: StateIndex,
  key: Uint8Array
): Proven {
  const [first, second] = otherRoots as [Uint8Array, Uint8Array]
  return verifyKey(anchor.header, sha256(key), { index, eventTotal, otherRoots: [first, second], siblings, leaf })
}

function wrongAnchor(checks: Checks, { anchorHeight }: HistoryProof, trusted: number): ProofFailure {
  return checks.fail('PROOF_WRONG_ANCHOR', `the proof is for anchor ${anchorHeight}; trusted is ${trusted}`)
}

/** Whether there are as many pages as a count asks for, each of the one length that it can have. */
function lengthFault(count: number, pages: readonly HistoryPage[]): string | undefined {
  let left = count
  for (const [at, { ids }] of pages.entries()) {
    const length = left === 0 ? 0 : pageLength(left)
    if (left === 0) return `page ${at} is one too many: the ${count} events end before it`
    if (ids.length !== length) {
      return `page ${at} has ${ids.length} ids; the one that ends with event ${left} has ${length}`
    }
    left -= length
  }
  return left === 0 ? undefined : `the pages end ${left} events after the first; accepted: all ${count}`
}

function pageFault(at: number, { count, head }: IndexEntry): string {
  return `the ids of page ${at} do not fold to the head of ${count} events, ${toHex(head)}`
}
