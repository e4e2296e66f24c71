/** The only way to the signer for one height: first durable, then sent, then counted (protocol §8). */
import { encodeVote } from '../chain/vote.ts'
import { fromHex } from '../codec/bytes.ts'
import type { Proposal, Vote } from '../codec/generated/chain.ts'
import { joinNewBlock } from '../codec/raw.ts'
import { hasCode, messageOf } from '../error.ts'
import type { Log } from '../log.ts'
import type { ConsensusTopic } from './ports.ts'
import type { Signer } from './signer.ts'
import { type Action, NIL, type ProvenPledge } from './types.ts'

const NIL_HASH = new Uint8Array(0)

export interface VoterPorts {
  readonly signer: Signer
  readonly height: number
  readonly log: Log
  readonly isOver: () => boolean
  readonly blockOf: (hash: string) => Uint8Array | undefined
  readonly publish: (topic: ConsensusTopic, payload: Uint8Array) => void
  readonly voted: (vote: Vote) => void
  readonly proposed: (proposal: Proposal) => void
  /** Nothing was proposed in that round: it goes on without us. */
  readonly proposalFailed: (round: number) => void
  /** Nothing is signed any more until the signer is opened again. */
  readonly broken: (error: unknown) => void
}

type Propose = Pick<Extract<Action, { type: 'propose' }>, 'round' | 'valid' | 'entry'>

export class Voter {
  readonly #ports: VoterPorts

  constructor(ports: VoterPorts) {
    this.#ports = ports
  }

  vote({ vote, keep, entry }: Pick<Extract<Action, { type: 'sign' }>, 'vote' | 'keep' | 'entry'>): void {
    const { signer, height, publish, voted } = this.#ports
    this.#run(async () => {
      const blockHash = vote.hash === NIL ? NIL_HASH : (fromHex(vote.hash, 32) as Uint8Array)
      const kept = keep === undefined ? undefined : { ...keep, block: this.#block(keep.hash) }
      const signed = await signer.signVote({ type: vote.type, height, round: vote.round, blockHash }, kept, entry)
      publish('vote', encodeVote(signed))
      if (!this.#ports.isOver()) voted(signed)
    })
  }

  keepValid(keep: ProvenPledge): void {
    this.#run(() => this.#ports.signer.keepValid(this.#ports.height, { ...keep, block: this.#block(keep.hash) }))
  }

  propose({ round, valid, entry }: Propose, hash: Uint8Array, block: Uint8Array): void {
    const { signer, height, publish, proposed } = this.#ports
    const validRound = valid?.round
    this.#run(async () => {
      let proposal: Proposal
      try {
        proposal = await signer.signProposal({ height, round, validRound, blockHash: hash }, block, entry)
      } catch (error) {
        if (!this.#ports.isOver()) this.#ports.proposalFailed(round)
        throw error
      }
      publish('block', joinNewBlock({ round, validRound, block, signature: proposal.signature }))
      if (!this.#ports.isOver()) proposed(proposal)
    })
  }

  /** What was signed before a restart, again: peers may never have had it. */
  offerAgain(votes: readonly Vote[], proposals: readonly Proposal[]): void {
    for (const { round, validRound, signature, blockHash } of proposals) {
      const block = this.#ports.blockOf(Buffer.from(blockHash).toString('hex'))
      if (block !== undefined) this.#ports.publish('block', joinNewBlock({ round, validRound, block, signature }))
    }
    for (const vote of votes) this.#ports.publish('vote', encodeVote(vote))
  }

  #block(hash: string): Uint8Array {
    const block = this.#ports.blockOf(hash)
    if (block === undefined) throw new Error(`block ${hash} is not held`)
    return block
  }

  /** The signer keeps the order of the calls. */
  #run(job: () => Promise<void>): void {
    const { log, height, isOver, broken } = this.#ports
    if (isOver()) return
    job().catch((error: unknown) => {
      if (hasCode(error, 'SIGNER_CONFLICT')) log.error({ height, code: error.code }, error.message)
      else if (hasCode(error, 'SIGNER_BROKEN')) broken(error)
      else log.error({ height, reason: messageOf(error) }, 'signing failed')
    })
  }
}
