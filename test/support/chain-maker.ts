import { type CheckedBlock, checkFinalized } from '../../src/chain/check-block.ts'
import { buildCommit, encodeCommit } from '../../src/chain/commit.ts'
import { type CheckedEvent, signEvent } from '../../src/chain/event.ts'
import { createGenesis, type Genesis } from '../../src/chain/genesis.ts'
import type { Params } from '../../src/chain/params.ts'
import { signVote, VoteType } from '../../src/chain/vote.ts'
import { utf8 } from '../../src/codec/bytes.ts'
import { Outcome } from '../../src/codec/generated/event.ts'
import { joinFinalized } from '../../src/codec/raw.ts'
import { type KeyPair, keyPairFromSeed } from '../../src/crypto/ed25519.ts'
import { sha256 } from '../../src/crypto/sha256.ts'
import { type BuiltBlock, buildBlock } from '../../src/ledger/build-block.ts'
import { ModelChain } from '../../src/ledger/verify/model-chain.ts'
import { Random } from './random.ts'

/** What a chain is made of. The same one gives the same bytes. */
export interface ChainSpec {
  readonly seed: number
  readonly eventsPerBlock: number
  readonly validators: number
  /** Distinct keys that sign events. */
  readonly actors: number
  /** Distinct resources. */
  readonly resources: number
  /** Distinct actions. */
  readonly actions: number
  /** Of each encoded SignedEvent; at least 200. */
  readonly eventBytes: number
  /** Between the timestamps of two blocks. */
  readonly intervalMs: number
  /** Unix ms. */
  readonly genesisTimestamp: number
  /** In each commit; as many as are needed if undefined. */
  readonly signers: number | undefined
  readonly params: Partial<Params>
}

export const DEFAULT_SPEC: ChainSpec = {
  seed: 1,
  eventsPerBlock: 100,
  validators: 4,
  actors: 50,
  resources: 500,
  actions: 4,
  eventBytes: 228,
  intervalMs: 1000,
  genesisTimestamp: Date.UTC(2026, 0, 1),
  signers: undefined,
  params: {}
}

/** An event's age when its block is proposed, at most. */
const MAX_AGE_MS = 5000

/** Body, actor and signature as fields of SignedEvent, with bodies of 128 bytes and more in mind. */
const UNSIGNED_BYTES = 228 - 34 - 66

export function specOf(spec: Partial<ChainSpec>): ChainSpec {
  return { ...DEFAULT_SPEC, ...spec }
}

/** Makes blocks that follow one another, in memory: everything signed for real, nothing stored. */
export class ChainMaker {
  readonly spec: ChainSpec
  readonly genesis: Genesis
  /** In genesis order. */
  readonly validators: readonly KeyPair[]
  readonly actors: readonly KeyPair[]
  readonly head: ModelChain
  readonly #random: Random
  #events = 0

  constructor(spec: Partial<ChainSpec> = {}) {
    this.spec = specOf(spec)
    const { seed, genesisTimestamp, params } = this.spec
    this.validators = keys(this.spec, 'validator', this.spec.validators)
    this.actors = keys(this.spec, 'actor', this.spec.actors)
    this.genesis = createGenesis({
      chainId: `test-${seed}`,
      timestamp: genesisTimestamp,
      validators: this.validators.map(({ publicKey }, i) => ({ name: `v${i}`, publicKey })),
      params
    })
    this.head = new ModelChain(this.genesis)
    this.#random = new Random(seed)
  }

  /** The next block with its commit, which then is the tip. */
  next(events: readonly CheckedEvent[] = this.events()): CheckedBlock {
    const block = this.certify(this.propose(events))
    this.head.advance(block)
    return block
  }

  /** The next block by its height's first proposer. */
  propose(events: readonly CheckedEvent[] = this.events(), timestamp = this.nextTimestamp): BuiltBlock {
    const { next } = this.head
    const proposer = this.validators[this.genesis.validators.proposer(next.height, 0)] as KeyPair
    return buildBlock(this.genesis, next, { timestamp, proposer, events })
  }

  /** A block with a commit of round 0, by the first validators of the genesis or those named. */
  certify(block: BuiltBlock, signers = this.defaultSigners): CheckedBlock {
    const result = checkFinalized(this.genesis, this.finalize(block, signers))
    if (!result.ok) throw new Error(`the maker made a bad block: ${result.failure.code} ${result.failure.message}`)
    return result.block
  }

  /** The encoded FinalizedBlock. */
  finalize({ header, hash, blockBytes }: BuiltBlock, signers = this.defaultSigners, round = 0): Uint8Array {
    const slot = { type: VoteType.PRECOMMIT, height: header.height, round, blockHash: hash }
    const votes = signers.map((index) => signVote(this.genesis.hash, this.validators[index] as KeyPair, slot))
    return joinFinalized(blockBytes, encodeCommit(buildCommit(this.genesis, votes)))
  }

  get defaultSigners(): number[] {
    const count = this.spec.signers ?? this.genesis.validators.quorum
    return Array.from({ length: count }, (_, index) => index)
  }

  get nextTimestamp(): number {
    return this.head.tip.header.timestamp + this.spec.intervalMs
  }

  /** New events for the next block. */
  events(count = this.spec.eventsPerBlock): CheckedEvent[] {
    return Array.from({ length: count }, () => this.event())
  }

  /** A new event for the next block, unlike any before. */
  event(): CheckedEvent {
    const { resources, actions, eventBytes } = this.spec
    const random = this.#random
    const number = (this.#events++).toString(36)
    const fields = {
      timestamp: this.nextTimestamp - random.below(Math.min(MAX_AGE_MS, this.genesis.params.eventWindowMs)),
      action: `action-${random.below(actions)}`,
      resource: { kind: 'document', id: `archive/${random.below(resources)}` },
      outcome: random.below(10) === 0 ? Outcome.DENIED : Outcome.SUCCESS,
      metadata: [{ key: 'note', value: '' }]
    }
    // The note brings the event to its size: bodies are 128 bytes and more from `eventBytes` 230 on, one byte a length.
    const used = 37 + fields.action.length + fields.resource.id.length
    const room = eventBytes - 228 + UNSIGNED_BYTES - used
    fields.metadata[0] = { key: 'note', value: number.padEnd(room, '.') }
    return signEvent(this.genesis.hash, random.pick(this.actors), fields)
  }
}

function keys(spec: ChainSpec, kind: string, count: number): KeyPair[] {
  return Array.from({ length: count }, (_, i) => keyPairFromSeed(sha256(utf8(`${spec.seed}/${kind}/${i}`))))
}

/** A chain that is nowhere but in memory: `blocks` FinalizedBlocks from height 1. */
export function chainInMemory(blocks: number, spec: Partial<ChainSpec> = {}): MemoryChain {
  const maker = new ChainMaker(spec)
  const checked = Array.from({ length: blocks }, () => maker.next())
  return {
    maker,
    genesis: maker.genesis,
    blocks: checked,
    frames: checked.map((block) => joinFinalized(block.blockBytes, block.commitBytes))
  }
}

export interface MemoryChain {
  /** To go on with. */
  readonly maker: ChainMaker
  readonly genesis: Genesis
  readonly blocks: readonly CheckedBlock[]
  /** Encoded FinalizedBlocks; the first is of height 1. */
  readonly frames: readonly Uint8Array[]
}
