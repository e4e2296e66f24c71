/** Messages for the machine as its checkers would have made them; their signatures are not real. */
import { ValidatorSet } from '../../../src/chain/validators.ts'
import { fromHex } from '../../../src/codec/bytes.ts'
import { type Proposal, type Vote, VoteType } from '../../../src/codec/generated/chain.ts'
import { Machine } from '../../../src/consensus/machine.ts'
import type {
  Action,
  AskReason,
  BlockFacts,
  HeldProposal,
  HeldVote,
  Input,
  Restored
} from '../../../src/consensus/types.ts'
import { sha256 } from '../../../src/crypto/sha256.ts'

export const HEIGHT = 5
export const NOW = 1_700_000_000_000

const key = (index: number): Uint8Array<ArrayBuffer> =>
  sha256(new TextEncoder().encode(`validator ${index}`)) as Uint8Array<ArrayBuffer>

export function validatorSet(size: number): ValidatorSet {
  return new ValidatorSet(Array.from({ length: size }, (_, i) => ({ name: `v${i}`, publicKey: key(i) })))
}

/** A block hash that is easy to tell apart. */
export function hashOf(name: string): string {
  return Buffer.from(sha256(new TextEncoder().encode(name))).toString('hex')
}

export const A = hashOf('A')
export const B = hashOf('B')

const bytesOf = (hash: string): Uint8Array<ArrayBuffer> =>
  (fromHex(hash) ?? new Uint8Array(0)) as Uint8Array<ArrayBuffer>

export function vote(type: VoteType, round: number, validator: number, hash: string, height = HEIGHT): HeldVote {
  const signature = new Uint8Array(64).fill(validator + 1)
  const signed: Vote = { type, height, round, blockHash: bytesOf(hash), validator: key(validator), signature }
  return { type, round, validator, hash, vote: signed }
}

export const prevote = (round: number, validator: number, hash: string): HeldVote =>
  vote(VoteType.PREVOTE, round, validator, hash)
export const precommit = (round: number, validator: number, hash: string): HeldVote =>
  vote(VoteType.PRECOMMIT, round, validator, hash)

export function proposal(round: number, hash: string, validRound = -1, height = HEIGHT): HeldProposal {
  const fields = { height, round, blockHash: bytesOf(hash), signature: new Uint8Array(64).fill(7) }
  const signed: Proposal = validRound < 0 ? fields : { ...fields, validRound }
  return { round, validRound, hash, proposal: signed }
}

export function block(hash: string, facts: Partial<BlockFacts> = {}): BlockFacts {
  return { hash, valid: true, timestamp: NOW, proposer: 1, ...facts }
}

/** A machine of one height among `size` validators, and the actions it gave last. */
export class Bench {
  readonly machine: Machine
  readonly validators: ValidatorSet
  actions: Action[] = []
  now = NOW

  constructor({ size = 4, self = 0, parentTimestamp = NOW - 1000, restored, started = true }: BenchOptions = {}) {
    this.validators = validatorSet(size)
    this.machine = new Machine({
      height: HEIGHT,
      validators: this.validators,
      proposer: (round) => this.validators.proposer(HEIGHT, round),
      self,
      parentTimestamp
    })
    if (started) this.actions = this.machine.start(this.now, restored)
  }

  give(...inputs: Input[]): Action[] {
    this.actions = inputs.flatMap((input) => this.machine.handle(input, this.now))
    return this.actions
  }

  votes(...votes: HeldVote[]): Action[] {
    return this.give(...votes.map((one): Input => ({ type: 'vote', vote: one })))
  }

  propose(one: HeldProposal, facts?: BlockFacts): Action[] {
    const inputs: Input[] = [{ type: 'proposal', proposal: one }]
    if (facts !== undefined) inputs.push({ type: 'block', block: facts })
    return this.give(...inputs)
  }

  timeout(kind: 'propose' | 'prevote' | 'precommit', round: number): Action[] {
    return this.give({ type: 'timeout', kind, round })
  }

  /** What the machine asked to sign in the last call: `PREVOTE 0 hash`. */
  signed(): string[] {
    return this.actions.flatMap((action) =>
      action.type === 'sign' ? [`${action.vote.type} ${action.vote.round} ${action.vote.hash || 'nil'}`] : []
    )
  }

  /** Why peers were to be asked in the last call. */
  asked(): AskReason[] {
    return this.of('ask').map(({ why }) => why)
  }

  of<Type extends Action['type']>(type: Type): Extract<Action, { type: Type }>[] {
    return this.actions.filter((action): action is Extract<Action, { type: Type }> => action.type === type)
  }
}

export interface BenchOptions {
  size?: number
  self?: number
  parentTimestamp?: number
  restored?: Restored
  started?: boolean
}
