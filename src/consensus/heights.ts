/**
 * The heights, one after the other: which one is being decided here, what came early for it, how large its blocks may be,
 * and when it is over.
 */
import type { CheckedBlock } from '../chain/check-block.ts'
import { fromHex } from '../codec/bytes.ts'
import type { Log } from '../log.ts'
import { BlockBudget } from './block-budget.ts'
import { Early } from './early.ts'
import { Height, type HeightPorts } from './height.ts'
import { resolveFork } from './rollback.ts'
import type { Signer } from './signer.ts'

export interface HeightsPorts extends Omit<HeightPorts, 'allowance'> {
  /** Who signs at a height, if anybody does. */
  readonly signerAt: (height: number) => Signer | undefined
  /** For what others can bring about. */
  readonly quiet: Log
}

/** The block above the finalized tip, as the API shows it. */
export interface PendingBlock {
  readonly height: number
  readonly hash: Uint8Array
  readonly round: number
  /** Precommits of the best single round. */
  readonly signatures: number
  readonly needed: number
}

export class Heights {
  readonly early = new Early()
  readonly #ports: HeightsPorts
  readonly #budget: BlockBudget
  #latest: Height | undefined

  constructor(ports: HeightsPorts) {
    this.#ports = ports
    this.#budget = new BlockBudget(ports.ledger.genesis.params)
  }

  /** The one that was begun last; undefined: none was. It may be over. */
  get latest(): Height | undefined {
    return this.#latest
  }

  /** Begins the height after the ledger's tip, with what came early for it. */
  begin(): void {
    const { ledger, clock, signerAt, quiet } = this.#ports
    const number = ledger.tip.height + 1
    const early = this.early.take(number)
    this.early.expect(number + 1)
    const ports = { ...this.#ports, log: quiet, allowance: (round: number) => this.#budget.at(round) }
    const height = new Height(ports, number, clock.monotonic(), signerAt(number))
    this.#latest = height
    height.start()
    for (const { proposal, header, blockBytes } of early.proposals) {
      void height.addBlock(proposal.hash, header, blockBytes)
      height.addProposal(proposal)
    }
    for (const vote of early.votes) height.addVote(vote)
  }

  stop(): void {
    this.#latest?.stop()
  }

  /**
   * A block became final, by whatever way: other blocks that were pending at its height give their events back.
   * @returns whether a height is over by it, so that the next one is due
   */
  finalized(block: CheckedBlock): boolean {
    const { ledger } = this.#ports
    const height = this.#latest
    if (height === undefined || block.height < height.height) return false
    if (block.height === height.height) {
      this.#budget.learn(block, height.elapsedMs)
      resolveFork(height, block, this.#ports)
    }
    if (ledger.tip.height < height.height) return false
    height.stop()
    return block.height >= ledger.tip.height
  }

  /** The block proposed above the finalized tip, if one that is valid has been seen. */
  pending(): PendingBlock | undefined {
    const { ledger } = this.#ports
    const height = this.#latest
    const view = height?.machine.book.pending()
    if (height === undefined || view === undefined || height.height !== ledger.tip.height + 1) return undefined
    const hash = fromHex(view.hash, 32) as Uint8Array
    const needed = ledger.genesis.validators.quorum
    return { height: height.height, hash, round: view.round, signatures: view.signatures, needed }
  }
}
