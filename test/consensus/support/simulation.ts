/**
 * Validators over a network that is whole until all have decided a block, then loses, delays and repeats messages until it
 * heals, and from then on delivers each in bounded time: real drivers in virtual time. A seed fixes everything.
 *
 * It begins whole, and the faulty silent, so that every honest validator has signed before anything goes wrong: one that
 * has not, and comes to a chain under way, signs nothing for two heights (signing-gate.ts) and counts as faulty until then.
 */
import { createGenesis, type Genesis } from '../../../src/chain/genesis.ts'
import { decodeVote } from '../../../src/chain/vote.ts'
import { toHex } from '../../../src/codec/bytes.ts'
import type { GetVotes, RawVotes } from '../../../src/codec/generated/sync.ts'
import { splitNewBlock } from '../../../src/codec/raw.ts'
import { headerOfBlock } from '../../../src/consensus/held.ts'
import type { ConsensusTopic } from '../../../src/consensus/ports.ts'
import { type KeyPair, keyPairFromSeed } from '../../../src/crypto/ed25519.ts'
import type { Random } from '../../support/random.ts'
import { Byzantine } from './byzantine.ts'
import { Schedule } from './schedule.ts'
import { SimNode } from './sim-node.ts'

export const SIM_EPOCH = 1_700_000_000_000

export type Message =
  | { readonly kind: 'gossip'; readonly topic: ConsensusTopic; readonly payload: Uint8Array }
  | { readonly kind: 'ask'; readonly number: number; readonly request: GetVotes }
  | { readonly kind: 'answer'; readonly number: number; readonly answer: RawVotes }

export interface Participant {
  receive(message: Message, from: number): void
}

export interface SimulationSpec {
  readonly size: number
  readonly random: Random
  /** How many of the validators break the rules; at most f. */
  readonly faulty: number
  /** Of each validator's clock, ms; without it they differ by little. */
  readonly clockOffsets?: readonly number[]
}

/** How long a message takes at most once the network has healed. */
export const HEALED_DELAY_MS = 20
/** A write to a disk, at most. */
export const SIM_DISK_MS = 30
/** A check by a verify thread, at most. */
export const SIM_THREAD_MS = 20
/** From a crash to the next start, at most. */
export const MAX_DOWN_MS = 2000

export class Simulation {
  readonly schedule = new Schedule()
  readonly random: Random
  readonly size: number
  readonly genesis: Genesis
  readonly keys: readonly KeyPair[]
  /** From then to `healsAt` things go wrong; Infinity while they have not begun to. */
  breaksAt = Number.POSITIVE_INFINITY
  readonly #brokenMs: number
  readonly honest: SimNode[] = []
  readonly #participants: Participant[] = []
  readonly #faulty = new Set<number>()
  /** Of each kind of message: what it is lost with. */
  readonly #loss: Record<string, number>
  /** Whom nothing reaches, and who reaches nobody, from when to when. */
  readonly #cutOff: readonly { readonly index: number; readonly from: number; readonly to: number }[]
  readonly #slowest: number
  /** So far; a question's number is its alone, as a stream is. */
  questions = 0
  /** What went wrong at honest validators. */
  readonly failures: string[] = []
  /** What honest validators have let out, by slot. */
  readonly #signed = new Map<string, string>()

  constructor({ size, random, faulty, clockOffsets = [] }: SimulationSpec) {
    this.size = size
    this.random = random
    this.keys = Array.from({ length: size }, (_, i) => keyPairFromSeed(new Uint8Array(32).fill(i + 1)))
    this.genesis = createGenesis({
      chainId: 'sim',
      // Before any clock of a test: none of them waits for the chain to begin.
      timestamp: SIM_EPOCH - 4 * 3_600_000,
      validators: this.keys.map(({ publicKey }, i) => ({ name: `v${i}`, publicKey })),
      params: {
        blockIntervalMs: 100,
        emptyBlockIntervalMs: random.pick([100, 1000]),
        timeoutProposeMs: 300,
        timeoutPrevoteMs: 150,
        timeoutPrecommitMs: 150,
        timeoutDeltaMs: 100,
        snapshotInterval: 1_000_000
      }
    })
    this.#brokenMs = random.below(12_000)
    // Locks matter where prevotes arrive and precommits don't, and where who decided can't tell.
    const loss = (): number => random.pick([0, 0, 0.1, 0.4, 0.9])
    this.#loss = { PREVOTE: loss(), PRECOMMIT: loss(), block: loss(), finalized: loss(), ask: loss(), answer: loss() }
    this.#cutOff = Array.from({ length: random.below(size) }, () => {
      const from = random.below(3000)
      return { index: random.below(size), from, to: from + random.below(6000) }
    })
    this.#slowest = random.pick([20, 200, 1500])
    while (this.#faulty.size < faulty) this.#faulty.add(random.below(size))
    for (let index = 0; index < size; index++) {
      if (this.#faulty.has(index)) {
        this.#participants.push(
          new Byzantine(this, index, random.pick(['silent', 'equivocating', 'supporting', 'supporting']))
        )
      } else {
        const node = new SimNode(this, index, clockOffsets[index])
        this.honest.push(node)
        this.#participants.push(node)
      }
    }
  }

  /** From then on nothing is lost and nobody crashes. */
  get healsAt(): number {
    return this.breaksAt + this.#brokenMs
  }

  get broken(): boolean {
    const { now } = this.schedule
    return now >= this.breaksAt && now < this.healsAt
  }

  /** Whether the faulty are at work. */
  get hasBroken(): boolean {
    return this.schedule.now >= this.breaksAt
  }

  break(): void {
    this.breaksAt = this.schedule.now
    for (const node of this.honest) node.mayCrash()
  }

  /** @param who index or public key */
  isFaulty(who: number | Uint8Array): boolean {
    const index = typeof who === 'number' ? who : this.genesis.validators.indexOf(who)
    return this.#faulty.has(index)
  }

  /** That a validator has shown to others. */
  heightOf(index: number): number {
    return this.honest.find((node) => node.index === index)?.height ?? 0
  }

  async start(): Promise<void> {
    for (const node of this.honest) await node.start()
  }

  /** Until `done`, or the virtual time `end`. */
  run(done: () => boolean, end: number): Promise<void> {
    return this.schedule.run(done, end)
  }

  /** Up to so many virtual ms. */
  delay(ms: number): Promise<void> {
    return new Promise((resolve) => this.schedule.after(this.random.below(ms), resolve))
  }

  /** Checks what an honest validator sends against all that it ever sent, and sends it to all. */
  published(from: number, topic: ConsensusTopic, payload: Uint8Array): void {
    if (topic === 'vote') {
      const { type, height, round, blockHash } = decodeVote(payload)
      this.#once(`v${from} ${type} ${height}/${round}`, toHex(blockHash))
    } else if (topic === 'block') {
      const { round, validRound, block } = splitNewBlock(payload)
      const header = headerOfBlock(block)
      this.#once(`v${from} PROPOSAL ${header.height}/${round}`, `${toHex(block)}/${validRound}`)
    }
    this.broadcast(from, { kind: 'gossip', topic, payload })
  }

  broadcast(from: number, message: Message): void {
    for (let to = 0; to < this.size; to++) if (to !== from) this.send(from, to, message)
  }

  send(from: number, to: number, message: Message): void {
    const { random } = this
    if (this.broken && (this.#isCutOff(from) || this.#isCutOff(to) || random.float() < this.#lossOf(message))) return
    const copies = random.float() < 0.1 ? 2 : 1
    for (let i = 0; i < copies; i++) {
      const delay = 1 + random.below(this.broken ? this.#slowest : HEALED_DELAY_MS)
      this.schedule.after(delay, () => this.#participants[to]?.receive(message, from))
    }
  }

  #lossOf(message: Message): number {
    if (message.kind !== 'gossip') return this.#loss[message.kind] ?? 0
    return this.#loss[message.topic === 'vote' ? decodeVote(message.payload).type : message.topic] ?? 0
  }

  #isCutOff(index: number): boolean {
    const now = this.schedule.now - this.breaksAt
    return this.#cutOff.some((one) => one.index === index && now >= one.from && now < one.to)
  }

  #once(slot: string, value: string): void {
    const before = this.#signed.get(slot)
    if (before !== undefined && before !== value) this.failures.push(`signed twice: ${slot} ${before} ${value}`)
    this.#signed.set(slot, value)
  }
}
