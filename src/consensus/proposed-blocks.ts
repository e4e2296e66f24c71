/** The blocks of one height that are not final: their bytes, and their validation off the main loop. */
import type { ProposedBlock } from '../chain/check-block.ts'
import { hashEventIds } from '../chain/event-hashes.ts'
import type { Failure } from '../chain/failures.ts'
import type { Header } from '../codec/generated/chain.ts'
import { splitBlock } from '../codec/raw.ts'
import { messageOf } from '../error.ts'
import type { Log } from '../log.ts'
import { type LedgerPort, retryCrashed, type VerifierPort } from './ports.ts'

export interface ProposedBlocksPorts {
  readonly ledger: LedgerPort
  readonly verifier: VerifierPort
  readonly log: Log
  /** Whether the height has ended: what is found out after that is of no interest. */
  readonly isOver: () => boolean
  /** Told of each block when it is known whether it is valid; and of one that was valid without a check when it comes. */
  readonly validated: (hash: string, header: Header, failure: Failure | undefined) => void
  /** Told of a block of which that could not be found out: it is not held any more. */
  readonly lost: (hash: string) => void
}

/** A block that was found valid. */
export interface ValidBlock {
  readonly hash: string
  readonly bytes: Uint8Array
  /** 32·n bytes. */
  readonly eventIds: () => Uint8Array
}

interface Held {
  /** Not of a block that is invalid: nobody needs it. */
  bytes: Uint8Array | undefined
  /** What validation made of it; undefined while that is under way, and of blocks that needed none. */
  checked: ProposedBlock | undefined
  valid: boolean
  verdict: Promise<Failure | undefined>
  /** Ends the validation. */
  readonly unwanted: AbortController
}

export class ProposedBlocks {
  readonly #ports: ProposedBlocksPorts
  readonly #held = new Map<string, Held>()

  constructor(ports: ProposedBlocksPorts) {
    this.#ports = ports
  }

  get(hash: string): Uint8Array | undefined {
    return this.#held.get(hash)?.bytes
  }

  /** Held, being validated, or known to be invalid: there is nothing to fetch. */
  has(hash: string): boolean {
    return this.#held.has(hash)
  }

  /** The block as its checker left it, if it was checked here and found valid. */
  checked(hash: string): ProposedBlock | undefined {
    const held = this.#held.get(hash)
    return held?.valid === true ? held.checked : undefined
  }

  valid(): ValidBlock[] {
    return [...this.#held].flatMap(([hash, { valid, bytes, checked }]) =>
      valid && bytes !== undefined
        ? [{ hash, bytes, eventIds: () => checked?.eventIds ?? hashEventIds(splitBlock(bytes).events) }]
        : []
    )
  }

  /** Own blocks, and those of the signer's log: valid without a check. */
  addValid(hash: string, bytes: Uint8Array): void {
    this.#held.set(hash, { ...unchecked(bytes), valid: true })
  }

  /**
   * Takes a block whose header has that hash; of several calls for one block the first counts.
   * @returns what is wrong with it; undefined also when that could not be found out
   */
  add(hash: string, header: Header, bytes: Uint8Array): Promise<Failure | undefined> {
    const known = this.#held.get(hash)
    if (known !== undefined) {
      // Who adds it may not know: of one that was valid without a check nothing was told.
      if (known.valid && known.checked === undefined) this.#ports.validated(hash, header, undefined)
      return known.verdict
    }
    // A copy: payloads are views of larger buffers.
    const own = new Uint8Array(bytes)
    const held = unchecked(own)
    this.#held.set(hash, held)
    held.verdict = this.#validate(hash, header, own, held)
    return held.verdict
  }

  forget(hash: string): void {
    this.#held.get(hash)?.unwanted.abort()
    this.#held.delete(hash)
  }

  /** The height has ended: no verdict is of use any more. */
  stop(): void {
    for (const { unwanted } of this.#held.values()) unwanted.abort()
  }

  async #validate(hash: string, header: Header, bytes: Uint8Array, held: Held): Promise<Failure | undefined> {
    const { ledger, isOver, validated, lost, log } = this.#ports
    try {
      const { signal } = held.unwanted
      const result = await retryCrashed(() => this.#ports.verifier.checkProposed(bytes, { signal }))
      if (this.#held.get(hash) !== held) return undefined
      // The tip may have moved on before the news of it: then nothing can be said of the block.
      if (isOver() || ledger.tip.height + 1 !== header.height) return undefined
      const failure = result.ok ? ledger.checkProposal(result.block) : result.failure
      if (result.ok && failure === undefined) {
        // Its bytes are the checker's own copy: one is enough.
        held.bytes = result.block.blockBytes
        held.checked = result.block
        held.valid = true
      }
      validated(hash, header, failure)
      if (failure !== undefined) held.bytes = undefined
      return failure
    } catch (error) {
      if (isOver() || this.#held.get(hash) !== held) return undefined
      log.warn({ hash, reason: messageOf(error) }, 'a proposed block could not be validated: it is fetched again')
      this.forget(hash)
      lost(hash)
      return undefined
    }
  }
}

function unchecked(bytes: Uint8Array): Held {
  const verdict = Promise.resolve(undefined)
  return { bytes, checked: undefined, valid: false, verdict, unwanted: new AbortController() }
}
