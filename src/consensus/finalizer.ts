/**
 * What happens to a decided block: its commit is made, both are written to the ledger (fsynced), and only then is it
 * published. Certified blocks that come by gossip or as an answer are written here too.
 */
import { type CheckedBlock, type CheckResult, certify } from '../chain/check-block.ts'
import { buildCommit, encodeCommit } from '../chain/commit.ts'
import type { Failure } from '../chain/failures.ts'
import { fromHex, toHex } from '../codec/bytes.ts'
import { joinFinalized, joinTrustedHeader, sealedHeaderOf } from '../codec/raw.ts'
import { hasCode, MolochError, messageOf } from '../error.ts'
import type { Log } from '../log.ts'
import type { Decision } from './height.ts'
import { type Clock, type LedgerPort, retryCrashed, type VerifierPort } from './ports.ts'
import { Publication, type Published } from './publication.ts'

/** Between two tries to check a decided block, when threads die of something. */
const RECHECK_MS = 1000

export interface FinalizerPorts {
  readonly ledger: LedgerPort
  readonly verifier: VerifierPort
  readonly clock: Clock
  readonly log: Log
  readonly publish: (messages: Published) => void
  /** Own index, −1 for an observer. */
  readonly self: () => number
  /** Nothing can be decided any more. */
  readonly failed: (error: Error) => void
}

export class Finalizer {
  readonly #ports: FinalizerPorts
  readonly #publication: Publication
  /** Writes under way. */
  readonly #writing = new Set<Promise<unknown>>()
  #open = false
  #publishes = true

  constructor(ports: FinalizerPorts) {
    this.#ports = ports
    this.#publication = new Publication(ports.ledger.genesis, ports.clock, ports.publish)
  }

  open(): void {
    this.#open = true
    this.#publishes = true
  }

  /**
   * Nothing is published from now on: this node decides nothing more, or is about to end. Blocks that come by range sync are no
   * reason: what was decided before them waits on, for others may have died.
   */
  mute(): void {
    this.#publishes = false
    this.#publication.stop()
  }

  /** Nothing is written from now on; resolves when nothing is being written. */
  async close(): Promise<void> {
    this.#open = false
    this.mute()
    await Promise.allSettled(this.#writing)
  }

  decided(decision: Decision): void {
    const { log, failed } = this.#ports
    const write = this.#write(decision).catch((error: unknown) => {
      if (!this.#open) log.debug({ reason: messageOf(error) }, 'a decided block was not written')
      else failed(error instanceof Error ? error : new Error(messageOf(error)))
    })
    void this.#track(write)
  }

  /**
   * Writes a certified block.
   * @returns what is wrong with its links; nothing also for one that conflicts with a final one, of which the ledger tells
   */
  async apply(block: CheckedBlock): Promise<Failure | undefined> {
    const { ledger, log } = this.#ports
    // Checked before this was closed, and found good after: the ledger may be closed by now.
    if (!this.#open) return undefined
    try {
      const { failure } = await this.#track(ledger.apply([block]))
      if (failure === undefined) return undefined
      const { code, message } = failure.failure
      log.error({ height: block.height, hash: toHex(block.hash), code }, `a certified block does not fit: ${message}`)
      return failure.failure
    } catch (error) {
      if (!hasCode(error, 'CONFLICTING_FINALITY')) throw error
      return undefined
    }
  }

  /** Somebody published a block that is final here, with a good commit. */
  seenPublished(height: number, hash: Uint8Array): void {
    this.#publication.seen(height, hash)
  }

  async #write({ height, hash, header, blockBytes, checked, precommits }: Decision): Promise<void> {
    const { ledger, self } = this.#ports
    const { genesis } = ledger
    const commit = encodeCommit(buildCommit(genesis, precommits))
    const finalized = joinFinalized(blockBytes, commit)
    const result = checked === undefined ? await this.#check(finalized) : certify(genesis, checked, commit)
    if (result === undefined) return
    const failure = result.ok ? await this.apply(result.block) : result.failure
    if (failure !== undefined) throw new MolochError(failure.code, `the decided block is refused: ${failure.message}`)
    if (!this.#publishes || self() < 0) return
    const block = {
      height,
      hash: fromHex(hash, 32) as Uint8Array,
      proposer: genesis.validators.indexOf(header.proposer)
    }
    const { header: headerBytes, seal } = sealedHeaderOf(blockBytes)
    const mmrRoot = await ledger.rootAfter(height, block.hash)
    const trusted = joinTrustedHeader({ header: headerBytes, seal, commit, mmrRoot })
    if (this.#publishes) this.#publication.decided(self(), block, { finalized, header: trusted })
  }

  /**
   * An own block, or one of the signer's log: nobody has looked at it yet. It is decided, so that threads die is no reason
   * to give up: it is tried until this is closed.
   */
  async #check(finalized: Uint8Array): Promise<CheckResult | undefined> {
    const { verifier, clock, log } = this.#ports
    while (this.#open) {
      try {
        return await retryCrashed(() => verifier.checkCertified(finalized))
      } catch (error) {
        if (!hasCode(error, 'VERIFY_CRASHED')) throw error
        log.error({ reason: messageOf(error) }, 'a decided block could not be checked: it is tried again')
        await new Promise<void>((resolve) => clock.after(RECHECK_MS, resolve))
      }
    }
    return undefined
  }

  async #track<T>(write: Promise<T>): Promise<T> {
    this.#writing.add(write)
    try {
      return await write
    } finally {
      this.#writing.delete(write)
    }
  }
}
