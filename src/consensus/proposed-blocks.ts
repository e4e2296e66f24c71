/** The blocks of one height that are not final: their bytes, and their validation off the main loop. */
import type { Failure } from '../chain/failures.ts'
import type { Header } from '../codec/generated/chain.ts'
import { messageOf } from '../error.ts'
import type { Log } from '../log.ts'
import { type LedgerPort, retryCrashed, type VerifierPort } from './ports.ts'

export interface ProposedBlocksPorts {
  readonly ledger: LedgerPort
  readonly verifier: VerifierPort
  readonly log: Log
  /** Whether the height has ended: what is found out after that is of no interest. */
  readonly isOver: () => boolean
  /** Told once of each block, when it is known whether it is valid. */
  readonly validated: (hash: string, header: Header, failure: Failure | undefined) => void
}

export class ProposedBlocks {
  readonly #ports: ProposedBlocksPorts
  readonly #bytes = new Map<string, Uint8Array>()
  readonly #valid = new Set<string>()
  readonly #verdicts = new Map<string, Promise<Failure | undefined>>()

  constructor(ports: ProposedBlocksPorts) {
    this.#ports = ports
  }

  get(hash: string): Uint8Array | undefined {
    return this.#bytes.get(hash)
  }

  /** Held, or being validated. */
  has(hash: string): boolean {
    return this.#bytes.has(hash)
  }

  /** Blocks that were found valid. */
  valid(): [hash: string, bytes: Uint8Array][] {
    return [...this.#bytes].filter(([hash]) => this.#valid.has(hash))
  }

  /** Own blocks, and those of the signer's log: valid without a check. */
  addValid(hash: string, bytes: Uint8Array): void {
    this.#bytes.set(hash, bytes)
    this.#valid.add(hash)
    this.#verdicts.set(hash, Promise.resolve(undefined))
  }

  /**
   * Takes a block whose header has that hash; of several calls for one block the first counts.
   * @returns what is wrong with it; undefined also when that could not be found out
   */
  add(hash: string, header: Header, bytes: Uint8Array): Promise<Failure | undefined> {
    let verdict = this.#verdicts.get(hash)
    if (verdict === undefined) {
      // A copy: payloads are views of larger buffers.
      const own = new Uint8Array(bytes)
      this.#bytes.set(hash, own)
      verdict = this.#validate(hash, header, own)
      this.#verdicts.set(hash, verdict)
    }
    return verdict
  }

  forget(hash: string): void {
    this.#bytes.delete(hash)
    this.#valid.delete(hash)
    this.#verdicts.delete(hash)
  }

  async #validate(hash: string, header: Header, bytes: Uint8Array): Promise<Failure | undefined> {
    const { ledger, isOver, validated, log } = this.#ports
    try {
      const checked = await retryCrashed(() => this.#ports.verifier.checkProposed(bytes))
      // The tip may have moved on before the news of it: then nothing can be said of the block.
      if (isOver() || ledger.tip.height + 1 !== header.height) return undefined
      const failure = checked.ok ? ledger.checkProposal(checked.block) : checked.failure
      if (failure === undefined) this.#valid.add(hash)
      validated(hash, header, failure)
      if (failure !== undefined) this.#bytes.delete(hash)
      return failure
    } catch (error) {
      // Nothing is known of the block; it may come again.
      this.forget(hash)
      if (!isOver()) log.warn({ hash, reason: messageOf(error) }, 'a proposed block could not be validated')
      return undefined
    }
  }
}
