/** The chain of one validator of a simulation, as it is on its disk, and the ledger over it for one life. */
import type { CheckedBlock, ProposedBlock } from '../../../src/chain/check-block.ts'
import type { CheckedHeader } from '../../../src/chain/check-header.ts'
import type { Failure } from '../../../src/chain/failures.ts'
import type { Genesis } from '../../../src/chain/genesis.ts'
import { toHex } from '../../../src/codec/bytes.ts'
import type { LedgerPort } from '../../../src/consensus/ports.ts'
import { Emitter } from '../../../src/emitter.ts'
import { MolochError } from '../../../src/error.ts'
import { type BlockInput, buildBlock } from '../../../src/ledger/build-block.ts'
import { ChainHead, type Tip } from '../../../src/ledger/head.ts'
import type { EvidenceRecord } from '../../../src/store/evidence-store.ts'
import { SIM_DISK_MS, type Simulation } from './simulation.ts'

export class SimDisk {
  readonly head: ChainHead
  /** From height 1. */
  readonly blocks: CheckedBlock[] = []

  constructor(genesis: Genesis) {
    this.head = ChainHead.atGenesis(genesis)
  }

  write(block: CheckedBlock): void {
    this.head.advance(block, undefined)
    this.blocks.push(block)
  }
}

type LedgerEvents = {
  finalized: [{ readonly block: CheckedBlock }]
  conflict: [never]
  window: []
}

/** Takes its time for a write; after a crash one that was under way is there or is not. */
export class SimLedger extends Emitter<LedgerEvents> implements LedgerPort {
  readonly genesis: Genesis
  readonly conflict = undefined
  readonly #sim: Simulation
  readonly #disk: SimDisk
  readonly #fail: (reason: string) => void
  #dead = false
  #last: Promise<unknown> = Promise.resolve()

  constructor(sim: Simulation, disk: SimDisk, fail: (reason: string) => void) {
    super()
    this.genesis = sim.genesis
    this.#sim = sim
    this.#disk = disk
    this.#fail = fail
  }

  get tip(): Tip {
    return this.#disk.head.tip
  }

  kill(): void {
    this.#dead = true
  }

  apply(blocks: readonly CheckedBlock[]): ReturnType<LedgerPort['apply']> {
    const turn = this.#last
      .catch(() => {})
      .then(async () => {
        for (const block of blocks) {
          const failure = await this.#write(block)
          if (failure !== undefined) return { height: this.tip.height, failure: { height: block.height, failure } }
        }
        return { height: this.tip.height }
      })
    this.#last = turn
    return turn as unknown as ReturnType<LedgerPort['apply']>
  }

  async #write(block: CheckedBlock): Promise<Failure | undefined> {
    if (block.height <= this.tip.height) {
      const ours = this.#disk.blocks[block.height - 1]
      if (ours !== undefined && toHex(ours.hash) === toHex(block.hash)) return undefined
      this.#fail(`two final blocks at height ${block.height}`)
      throw new MolochError('CONFLICTING_FINALITY', 'two final blocks')
    }
    const failure = this.#disk.head.check(block)
    if (failure !== undefined) return failure
    await this.#sim.delay(SIM_DISK_MS)
    if (this.#dead) {
      if (this.#sim.random.float() < 0.5 && this.tip.height + 1 === block.height) this.#disk.write(block)
      return new Promise(() => {})
    }
    this.#disk.write(block)
    this.emit('finalized', { block })
    return undefined
  }

  async compareHeader(_header: CheckedHeader): Promise<Failure | undefined> {
    return undefined
  }

  async rootAfter(): Promise<Uint8Array> {
    return this.tip.mmrRoot
  }

  checkProposal(block: ProposedBlock): Failure | undefined {
    return this.#disk.head.check(block)
  }

  buildBlock(input: BlockInput): ReturnType<LedgerPort['buildBlock']> {
    return buildBlock(this.genesis, this.#disk.head.next, input)
  }

  hasRecentEvent(): boolean {
    return false
  }

  async blockAt(height: number): ReturnType<LedgerPort['blockAt']> {
    const block = this.#disk.blocks[height - 1]
    return block && { hash: block.hash, blockBytes: block.blockBytes, commitBytes: block.commitBytes }
  }

  async saveEvidence({ validators, description }: EvidenceRecord): Promise<boolean> {
    for (const key of validators) if (!this.#sim.isFaulty(key)) this.#fail(`blames an honest validator: ${description}`)
    return true
  }
}
