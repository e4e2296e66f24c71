/** GetVotes from both ends: what this node serves of the height it is at, and what it does with an answer. */
import { checkFinalMessage, type FinalContext } from '../chain/gossip-checks.ts'
import type { GetVotes, RawVotes } from '../codec/generated/sync.ts'
import { joinFinalized } from '../codec/raw.ts'
import type { Turn } from './asked.ts'
import { noVotes, votesAnswer, votesRequest } from './catch-up.ts'
import type { Height } from './height.ts'
import type { Intake } from './intake.ts'
import { ACCEPT, type Judgement, reject } from './judgement.ts'
import type { LedgerPort } from './ports.ts'

export interface VotesExchangePorts {
  readonly ledger: LedgerPort
  readonly intake: Intake
  readonly checking: FinalContext
  /** The height last begun, which is served even when it is paused. */
  readonly height: () => Height | undefined
  readonly penalise: (peer: string, code: string) => void
}

export class VotesExchange {
  readonly #ports: VotesExchangePorts

  constructor(ports: VotesExchangePorts) {
    this.#ports = ports
  }

  /** Every node serves all it holds: votes of the current height, finalized blocks of those before. */
  async read(request: GetVotes): Promise<RawVotes> {
    const { ledger } = this.#ports
    if (request.height <= ledger.tip.height) {
      const block = await ledger.blockAt(request.height)
      // Block 0 has no commit, and one that this node has not verified it does not pass on.
      if (block === undefined || block.commitBytes.byteLength === 0) return noVotes()
      return { ...noVotes(), finalized: joinFinalized(block.blockBytes, block.commitBytes) }
    }
    const height = this.#ports.height()
    if (height === undefined || request.height !== height.height) return noVotes()
    const { size } = ledger.genesis.validators
    return votesAnswer(height.machine.book, request, size, (hash) => height.blocks.get(hash))
  }

  /** What is missing of the current height; undefined if nothing is wanted now. */
  request(turn: Turn): GetVotes | undefined {
    const height = this.#ports.height()
    if (height === undefined || height.isOver || height.machine.decided) return undefined
    const { size } = this.#ports.ledger.genesis.validators
    const { machine } = height
    return votesRequest(machine.book, height.height, machine.lack(), size, turn)
  }

  /** @returns whether the answer brought the tip on */
  async take(peer: string, request: GetVotes, answer: RawVotes): Promise<boolean> {
    const { ledger, intake, penalise } = this.#ports
    const before = ledger.tip.height
    const { finalized, proposal, block, votes } = answer
    const parts: (() => Judgement | Promise<Judgement>)[] = votes.map((vote) => () => intake.vote(vote))
    if (block.byteLength > 0) parts.unshift(() => intake.blockAskedFor(request.blockHash, block))
    if (proposal.byteLength > 0) parts.unshift(() => intake.proposal(proposal))
    if (finalized.byteLength > 0) parts.unshift(() => this.#finalized(finalized, peer))
    for (const part of parts) {
      const judgement = await part()
      if (judgement.verdict !== 'reject') continue
      penalise(peer, judgement.code)
      return false
    }
    return ledger.tip.height > before
  }

  async #finalized(bytes: Uint8Array, peer: string): Promise<Judgement> {
    const { ledger, intake, checking } = this.#ports
    const checked = await checkFinalMessage(ledger.genesis, bytes, checking)
    if (!checked.ok) return reject(checked.code)
    await intake.finalAskedFor(checked.message, peer)
    return ACCEPT
  }
}
