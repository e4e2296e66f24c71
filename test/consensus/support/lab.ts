/** One node whose peers are the test: it makes proposals, votes and certified blocks with every validator's key. */

import { buildCommit, encodeCommit } from '../../../src/chain/commit.ts'
import type { CheckedEvent } from '../../../src/chain/event.ts'
import type { Params } from '../../../src/chain/params.ts'
import { signProposal } from '../../../src/chain/proposal.ts'
import { encodeVote, signVote, type Vote, VoteType } from '../../../src/chain/vote.ts'
import { joinFinalized, joinNewBlock } from '../../../src/codec/raw.ts'
import type { Clock } from '../../../src/consensus/ports.ts'
import type { KeyPair } from '../../../src/crypto/ed25519.ts'
import type { BuiltBlock } from '../../../src/ledger/ledger.ts'
import { Network, type TestNode } from './rig.ts'

/** Slow enough for no timeout to come into a test. */
const CALM: Partial<Params> = {
  blockIntervalMs: 60_000,
  emptyBlockIntervalMs: 60_000,
  timeoutProposeMs: 60_000,
  timeoutPrevoteMs: 60_000,
  timeoutPrecommitMs: 60_000
}

export interface LabOptions {
  readonly params?: Partial<Params>
  /** Which of four validators the node is; without one it observes. */
  readonly self?: number
  readonly clock?: Clock
  /** The genesis's time, Unix ms. */
  readonly timestamp?: number
}

export class Lab {
  readonly network: Network
  readonly node: TestNode

  private constructor(network: Network, node: TestNode) {
    this.network = network
    this.node = node
  }

  static async start({ params, self = 4, clock, timestamp }: LabOptions = {}): Promise<Lab> {
    const network = new Network({ ...CALM, ...params }, 4, timestamp)
    // Its peers are the test.
    network.connects = () => false
    for (let i = 0; i < self; i++) network.add()
    const node = network.add(clock)
    // The other validators, whom the node hears before it signs.
    for (let i = 0; i < 4; i++) if (i !== self) node.silent.set(`validator ${i}`, i)
    await node.start()
    // Before the genesis's time too: it is heard once.
    for (let i = 0; i < 100 || node.driver.abstention?.reason === 'listening'; i++) await new Promise(setImmediate)
    // A thread takes its time to start; gossip's verdicts don't wait as long.
    await network.verifier.check([])
    return new Lab(network, node)
  }

  get keys(): readonly KeyPair[] {
    return this.network.keys
  }

  /** The index of proposer(next height, round). */
  proposer(round: number): number {
    return this.network.genesis.validators.proposer(this.node.ledger.tip.height + 1, round)
  }

  /** A block for the next height by that round's proposer. */
  build(round = 0, events: CheckedEvent[] = [], timestamp = Date.now()): BuiltBlock {
    const proposer = this.keys[this.proposer(round)] as KeyPair
    return this.node.ledger.buildBlock({ timestamp, proposer, events })
  }

  /** The NewBlock message of a block in a round. */
  newBlock({ header, hash, blockBytes }: BuiltBlock, round = 0, validRound?: number): Uint8Array {
    const { genesis } = this.network
    const key = this.keys[genesis.validators.proposer(header.height, round)] as KeyPair
    const slot = { height: header.height, round, validRound, blockHash: hash }
    return joinNewBlock({ round, validRound, block: blockBytes, signature: signProposal(genesis.hash, key, slot) })
  }

  vote(type: VoteType, validator: number, block: BuiltBlock | undefined, round = 0, height?: number): Vote {
    const slot = {
      type,
      height: height ?? this.node.ledger.tip.height + 1,
      round,
      blockHash: block?.hash ?? new Uint8Array(0)
    }
    return signVote(this.network.genesis.hash, this.keys[validator] as KeyPair, slot)
  }

  precommit(validator: number, block: BuiltBlock | undefined, round = 0): Uint8Array {
    return encodeVote(this.vote(VoteType.PRECOMMIT, validator, block, round))
  }

  prevote(validator: number, block: BuiltBlock | undefined, round = 0): Uint8Array {
    return encodeVote(this.vote(VoteType.PREVOTE, validator, block, round))
  }

  /** The FinalizedBlock with precommits of these validators. */
  finalized(block: BuiltBlock, validators: readonly number[] = [0, 1, 2], round = 0): Uint8Array {
    const { genesis } = this.network
    const { height } = block.header
    const votes = validators.map((index) => this.vote(VoteType.PRECOMMIT, index, block, round, height))
    return joinFinalized(block.blockBytes, encodeCommit(buildCommit(genesis, votes)))
  }
}
