/**
 * A validator of a simulation that says nothing; or something else to everyone; or, which is worse, what each wants to
 * hear, so that some reach quorums that others never see.
 */
import { signProposal } from '../../../src/chain/proposal.ts'
import { signVote } from '../../../src/chain/vote.ts'
import { fromHex } from '../../../src/codec/bytes.ts'
import { type Proposal, VoteType } from '../../../src/codec/generated/chain.ts'
import { type Message, type Participant, SIM_EPOCH, SIM_HEIGHT, type Simulation } from './simulation.ts'

export type ByzantineKind = 'silent' | 'equivocating' | 'supporting'

export class Byzantine implements Participant {
  readonly #sim: Simulation
  readonly #index: number
  readonly #kind: ByzantineKind
  readonly #rounds = new Set<number>()
  /** By round: the block that was proposed to it. */
  readonly #proposed = new Map<number, string>()

  constructor(sim: Simulation, index: number, kind: ByzantineKind) {
    this.#sim = sim
    this.#index = index
    this.#kind = kind
  }

  /** Votes in every round that it hears of, differently to each. */
  receive(message: Message, _from: number): void {
    if (this.#kind === 'silent') return
    if (message.kind === 'block') {
      this.#proposed.set(message.proposal.round, Buffer.from(message.proposal.blockHash).toString('hex'))
    }
    const round = roundOf(message)
    if (round === undefined || this.#rounds.has(round) || this.#rounds.size > 200) return
    this.#rounds.add(round)
    const { schedule, random, size, genesis } = this.#sim
    const proposes = genesis.validators.proposer(SIM_HEIGHT, round) === this.#index
    for (let to = 0; to < size; to++) {
      if (to === this.#index) continue
      if (proposes) this.#propose(round, to)
      for (const type of [VoteType.PREVOTE, VoteType.PRECOMMIT]) {
        for (let i = random.below(3); i >= 0; i--) {
          schedule.after(random.below(800), () => this.#vote(type, round, to))
        }
      }
    }
  }

  #vote(type: VoteType, round: number, to: number): void {
    const { random, genesis, keys } = this.#sim
    const hash = this.#kind === 'supporting' && random.float() < 0.9 ? this.#proposed.get(round) : this.#anyHash()
    if (hash === undefined) return
    const at = random.float() < 0.05 ? round + random.below(1500) : round
    const slot = { type, height: SIM_HEIGHT, round: at, blockHash: fromHex(hash) ?? new Uint8Array(0) }
    this.#sim.send(this.#index, to, { kind: 'vote', vote: signVote(genesis.hash, keys[this.#index]!, slot) })
  }

  #anyHash(): string {
    const known = [...this.#sim.blocks.keys()]
    const { random } = this.#sim
    return random.float() < 0.3 ? '' : (known.at(-1 - random.below(3)) ?? '')
  }

  #propose(round: number, to: number): void {
    const { random, genesis, keys, schedule, blocks } = this.#sim
    const again = round > 0 && random.float() < 0.3
    const old = random.pick([...blocks].length > 0 ? [...blocks] : [undefined])
    const made =
      again && old !== undefined
        ? { hash: fromHex(old[0], 32)!, bytes: old[1].bytes }
        : this.#sim.makeBlock(this.#index, SIM_EPOCH + schedule.now, random.float() < 0.8)
    const slot = {
      height: SIM_HEIGHT,
      round,
      validRound: again ? random.below(round) : undefined,
      blockHash: made.hash
    }
    const signature = signProposal(genesis.hash, keys[this.#index]!, slot)
    const fields = { height: SIM_HEIGHT, round, blockHash: new Uint8Array(made.hash), signature }
    const proposal: Proposal = slot.validRound === undefined ? fields : { ...fields, validRound: slot.validRound }
    this.#sim.send(this.#index, to, { kind: 'block', proposal, block: made.bytes })
  }
}

function roundOf(message: Message): number | undefined {
  if (message.kind === 'vote') return message.vote.round
  if (message.kind === 'block') return message.proposal.round
  if (message.kind === 'ask') return message.request.round
  return undefined
}
