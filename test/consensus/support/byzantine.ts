/**
 * A validator of a simulation that says nothing; or something else to everyone; or, which is worse, what each wants to
 * hear, so that some reach quorums that others never see.
 */
import { blockHash } from '../../../src/chain/domain.ts'
import { signProposal } from '../../../src/chain/proposal.ts'
import { decodeVote, encodeVote, signVote } from '../../../src/chain/vote.ts'
import { fromHex, toHex } from '../../../src/codec/bytes.ts'
import { VoteType } from '../../../src/codec/generated/chain.ts'
import { joinNewBlock, splitNewBlock } from '../../../src/codec/raw.ts'
import { headerOfBlock } from '../../../src/consensus/held.ts'
import { buildBlock } from '../../../src/ledger/build-block.ts'
import { type Message, type Participant, SIM_EPOCH, type Simulation } from './simulation.ts'

export type ByzantineKind = 'silent' | 'equivocating' | 'supporting'

/** Of one height: it lives for the highest that it has heard of. */
interface Place {
  readonly height: number
  readonly rounds: Set<number>
  /** By round: the block that was proposed to it. */
  readonly proposed: Map<number, string>
  /** By hash: blocks that were proposed or made. */
  readonly blocks: Map<string, Uint8Array>
}

export class Byzantine implements Participant {
  readonly #sim: Simulation
  readonly #index: number
  readonly #kind: ByzantineKind
  #place: Place = placeAt(1)

  constructor(sim: Simulation, index: number, kind: ByzantineKind) {
    this.#sim = sim
    this.#index = index
    this.#kind = kind
  }

  /** Votes in every round that it hears of, differently to each. */
  receive(message: Message, _from: number): void {
    if (this.#kind === 'silent' || !this.#sim.hasBroken) return
    const heard = this.#heard(message)
    if (heard === undefined || heard.height < this.#place.height) return
    if (heard.height > this.#place.height) this.#place = placeAt(heard.height)
    const place = this.#place
    const { round } = heard
    if (heard.hash !== undefined && heard.block !== undefined) {
      place.proposed.set(round, heard.hash)
      place.blocks.set(heard.hash, heard.block)
    }
    if (place.rounds.has(round) || place.rounds.size > 200) return
    place.rounds.add(round)
    const { schedule, random, size, genesis } = this.#sim
    const proposes = genesis.validators.proposer(place.height, round) === this.#index
    for (let to = 0; to < size; to++) {
      if (to === this.#index) continue
      if (proposes) this.#propose(place, round, to)
      for (const type of [VoteType.PREVOTE, VoteType.PRECOMMIT]) {
        for (let i = random.below(3); i >= 0; i--) {
          schedule.after(random.below(800), () => this.#vote(place, type, round, to))
        }
      }
    }
  }

  #heard(message: Message): { height: number; round: number; hash?: string; block?: Uint8Array } | undefined {
    if (message.kind === 'ask') return message.request
    if (message.kind !== 'gossip') return undefined
    if (message.topic === 'vote') return decodeVote(message.payload)
    if (message.topic !== 'block') return undefined
    const { round, block } = splitNewBlock(message.payload)
    const header = headerOfBlock(block)
    const hash = toHex(blockHash(this.#sim.genesis.hash, header))
    return { height: header.height, round, hash, block: new Uint8Array(block) }
  }

  #vote(place: Place, type: VoteType, round: number, to: number): void {
    const { random, genesis, keys } = this.#sim
    const supports = this.#kind === 'supporting' && random.float() < 0.9
    const hash = supports ? place.proposed.get(round) : this.#anyHash(place)
    if (hash === undefined) return
    const at = random.float() < 0.05 ? round + random.below(1500) : round
    const slot = { type, height: place.height, round: at, blockHash: fromHex(hash) ?? new Uint8Array(0) }
    const payload = encodeVote(signVote(genesis.hash, keys[this.#index]!, slot))
    this.#sim.send(this.#index, to, { kind: 'gossip', topic: 'vote', payload })
  }

  #anyHash({ blocks }: Place): string {
    const known = [...blocks.keys()]
    const { random } = this.#sim
    return random.float() < 0.3 ? '' : (known.at(-1 - random.below(3)) ?? '')
  }

  #propose(place: Place, round: number, to: number): void {
    const { random, genesis, keys } = this.#sim
    const { height } = place
    const again = round > 0 && place.blocks.size > 0 && random.float() < 0.3
    const made = again ? random.pick([...place.blocks]) : this.#newBlock(place)
    if (made === undefined) return
    const [hash, block] = made
    const validRound = again ? random.below(round) : undefined
    const slot = { height, round, validRound, blockHash: fromHex(hash, 32) as Uint8Array }
    const signature = signProposal(genesis.hash, keys[this.#index]!, slot)
    const payload = joinNewBlock({ round, validRound, block, signature })
    this.#sim.send(this.#index, to, { kind: 'gossip', topic: 'block', payload })
  }

  /** On the chain of whoever is at that height; now and then it fits none. */
  #newBlock({ height, blocks }: Place): [string, Uint8Array] | undefined {
    const { random, genesis, keys, schedule, honest } = this.#sim
    const next = honest.map((node) => node.disk.head.next).find((one) => one.height === height)
    if (next === undefined) return undefined
    const on = random.float() < 0.8 ? next : { ...next, stateRoot: new Uint8Array(32).fill(1) }
    const timestamp = SIM_EPOCH + schedule.now + blocks.size
    const built = buildBlock(genesis, on, { timestamp, proposer: keys[this.#index]!, events: [] })
    blocks.set(toHex(built.hash), built.blockBytes)
    return [toHex(built.hash), built.blockBytes]
  }
}

function placeAt(height: number): Place {
  return { height, rounds: new Set(), proposed: new Map(), blocks: new Map() }
}
