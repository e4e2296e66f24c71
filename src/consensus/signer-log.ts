/**
 * What a validator has signed at one height and what it is bound to by it, as a value: which requests it allows, and
 * which writes carry it over to a disk. The signer applies the writes first and the value after.
 */
import { encodeProposal } from '../chain/proposal.ts'
import { encodeVote } from '../chain/vote.ts'
import { toHex } from '../codec/bytes.ts'
import { Proposal, Vote, VoteType } from '../codec/generated/chain.ts'
import { RawVotes } from '../codec/generated/sync.ts'
import { HEAD_KEY } from './signer-head.ts'
import type { SignerWrite } from './signer-store.ts'
import type { Pledge, ProvenPledge, Step } from './types.ts'

/** A pledge with its proof and its block: what a validator has to be able to show after a restart. */
export interface KeptPledge extends ProvenPledge {
  readonly block: Uint8Array
}

/** Everything of one height, as a restart finds it. */
export interface SignerMemory {
  readonly height: number
  /** Nothing more is signed at this height: what was signed there, or below, is not known. */
  readonly closed?: true
  /** Own votes of this height. */
  readonly votes: readonly Vote[]
  /** Own proposals of this height. */
  readonly proposals: readonly Proposal[]
  readonly locked: Pledge | undefined
  readonly valid: Pledge | undefined
  /** By round: the q prevotes for `locked` and `valid`, and those that the last own proposal rests on. */
  readonly prevotes: ReadonlyMap<number, readonly Vote[]>
  /** The votes that led into the last round in which something was signed. */
  readonly entry: { readonly round: number; readonly votes: readonly Vote[] } | undefined
  /** By hash: the blocks of `locked`, `valid` and the last own proposal. */
  readonly blocks: ReadonlyMap<string, Uint8Array>
}

/** The order of what is signed in a round. */
const STEPS: readonly Step[] = ['propose', 'prevote', 'precommit']

export interface Position {
  readonly round: number
  readonly step: Step
}

export function stepOf(type: VoteType): Step {
  return type === VoteType.PREVOTE ? 'prevote' : 'precommit'
}

export function isAfter(a: Position, b: Position): boolean {
  return a.round > b.round || (a.round === b.round && STEPS.indexOf(a.step) > STEPS.indexOf(b.step))
}

/** The last (round, step) that something was signed in. */
export function lastPosition(memory: Pick<SignerMemory, 'votes' | 'proposals'>): Position | undefined {
  const positions: Position[] = [
    ...memory.proposals.map(({ round }) => ({ round, step: 'propose' as const })),
    ...memory.votes.map(({ round, type }) => ({ round, step: stepOf(type) }))
  ]
  return positions.reduce<Position | undefined>(
    (last, one) => (last === undefined || isAfter(one, last) ? one : last),
    undefined
  )
}

export function emptyMemory(height: number): SignerMemory {
  return {
    height,
    votes: [],
    proposals: [],
    locked: undefined,
    valid: undefined,
    prevotes: new Map(),
    entry: undefined,
    blocks: new Map()
  }
}

/** Drops the blocks and prevotes that nothing refers to any more. */
export function pruned(memory: SignerMemory): SignerMemory {
  const { locked, valid, proposals } = memory
  const last = proposals.reduce<Proposal | undefined>(
    (best, one) => (best === undefined || one.round > best.round ? one : best),
    undefined
  )
  const hashes = [locked?.hash, valid?.hash, last === undefined ? undefined : toHex(last.blockHash)]
  const rounds = [locked?.round, valid?.round, last?.validRound]
  return {
    ...memory,
    blocks: new Map([...memory.blocks].filter(([hash]) => hashes.includes(hash))),
    prevotes: new Map([...memory.prevotes].filter(([round]) => rounds.includes(round)))
  }
}

export const FORMAT_KEY = 'format'
const MARK = 'mark'
const CLOSED = 'closed'
const utf8 = new TextEncoder()
const text = new TextDecoder()

/** Keys and values of a memory; the high-water mark is the height. */
function entriesOf(memory: SignerMemory): Map<string, () => Uint8Array> {
  const entries = new Map<string, () => Uint8Array>()
  entries.set(`${MARK}/${memory.height}`, () => new Uint8Array(0))
  if (memory.closed) entries.set(CLOSED, () => new Uint8Array(0))
  for (const vote of memory.votes) entries.set(`vote/${vote.type}/${vote.round}`, () => encodeVote(vote))
  for (const one of memory.proposals) entries.set(`proposal/${one.round}`, () => encodeProposal(one))
  for (const name of ['locked', 'valid'] as const) {
    const pledge = memory[name]
    if (pledge !== undefined) entries.set(`${name}/${pledge.round}/${pledge.hash}`, () => new Uint8Array(0))
  }
  for (const [round, prevotes] of memory.prevotes) entries.set(`prevotes/${round}`, () => encodeVotes(prevotes))
  const { entry } = memory
  if (entry !== undefined) entries.set(`entry/${entry.round}`, () => encodeVotes(entry.votes))
  for (const [hash, block] of memory.blocks) entries.set(`block/${hash}`, () => block)
  return entries
}

function encodeVotes(votes: readonly Vote[]): Uint8Array {
  const nothing = new Uint8Array(0)
  return RawVotes.encode({ votes: votes.map(encodeVote), proposal: nothing, block: nothing, finalized: nothing })
}

function decodeVotes(bytes: Uint8Array): Vote[] {
  return RawVotes.decode(bytes).votes.map((one) => Vote.decode(one))
}

/**
 * The writes that turn what is stored of `before` into `after`. A key says all that its value depends on within a
 * height, so what both have is left alone; with the height everything goes.
 */
export function writesBetween(before: SignerMemory | undefined, after: SignerMemory): SignerWrite[] {
  const old = before === undefined ? new Map<string, () => Uint8Array>() : entriesOf(before)
  const now = entriesOf(after)
  const same = before?.height === after.height
  const writes: SignerWrite[] = []
  for (const key of old.keys()) {
    if (!now.has(key)) writes.push({ type: 'del', key })
  }
  for (const [key, value] of now) {
    if (!same || !old.has(key)) writes.push({ type: 'put', key, value: value() })
  }
  return writes
}

/** What the stored entries say; undefined if nothing was ever signed. @throws Error if they make no sense */
export function readMemory(entries: readonly (readonly [string, Uint8Array])[]): SignerMemory | undefined {
  let height: number | undefined
  const votes: Vote[] = []
  const proposals: Proposal[] = []
  const pledges: { locked?: Pledge; valid?: Pledge } = {}
  const prevotes = new Map<number, Vote[]>()
  let entry: SignerMemory['entry']
  let closed = false
  const blocks = new Map<string, Uint8Array>()
  for (const [key, value] of entries) {
    const [kind, first = '', second = ''] = key.split('/')
    if (kind === MARK) height = Number(first)
    else if (kind === 'vote') votes.push(Vote.decode(value))
    else if (kind === 'proposal') proposals.push(Proposal.decode(value))
    else if (kind === 'locked' || kind === 'valid') pledges[kind] = { round: Number(first), hash: second }
    else if (kind === 'prevotes') prevotes.set(Number(first), decodeVotes(value))
    else if (kind === 'entry') entry = { round: Number(first), votes: decodeVotes(value) }
    else if (kind === 'block') blocks.set(first, value)
    else if (kind === CLOSED) closed = true
    else if (kind !== FORMAT_KEY && kind !== HEAD_KEY) throw new Error(`unknown entry ${key}`)
  }
  if (height === undefined) return undefined
  if (!Number.isSafeInteger(height) || [...votes, ...proposals].some((one) => one.height !== height)) {
    throw new Error('its entries are of different heights')
  }
  const memory = { height, votes, proposals, locked: pledges.locked, valid: pledges.valid, prevotes, entry, blocks }
  return closed ? { ...memory, closed: true } : memory
}

export interface SignerFormat {
  readonly version: number
  /** Hex. */
  readonly publicKey: string
  /** Hex. */
  readonly genesisHash: string
}

export function writeFormat(format: SignerFormat): SignerWrite {
  return { type: 'put', key: FORMAT_KEY, value: utf8.encode(JSON.stringify(format)) }
}

export function readFormat(value: Uint8Array): Partial<SignerFormat> {
  return JSON.parse(text.decode(value)) as Partial<SignerFormat>
}
