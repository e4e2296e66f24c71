import { checkCommit } from '../chain/commit.ts'
import { blockHash } from '../chain/domain.ts'
import { type Failure, failure } from '../chain/failures.ts'
import type { Genesis } from '../chain/genesis.ts'
import { equalBytes, toHex } from '../codec/bytes.ts'
import type { Status } from '../codec/generated/sync.ts'

/** Heads whose commit was verified: all peers show the same few. */
const MAX_KNOWN = 256

export type Claim = Pick<Status, 'height' | 'headHash' | 'head' | 'commit'>

/** Decides whether a claimed height counts. Against lies about height: they would stall sync or lead it astray. */
export class Certifier {
  readonly #genesis: Genesis
  /** Head hash to height; only what verified, so that a bad commit can't spoil a good one for the same head. */
  readonly #known = new Map<string, number>()
  /** How many commits were verified, for tests and metrics. */
  checks = 0

  constructor(genesis: Genesis) {
    this.#genesis = genesis
  }

  /** @returns undefined if the claim counts. Heights up to our own tip need no proof: nothing is done because of them. */
  check(claim: Claim, ownHeight: number): Failure | undefined {
    if (claim.height <= ownHeight) return undefined
    const key = toHex(claim.headHash)
    if (this.#known.get(key) === claim.height) return undefined
    const failure = this.#verify(claim)
    if (failure === undefined) this.#remember(key, claim.height)
    return failure
  }

  #verify(claim: Claim): Failure | undefined {
    if (claim.head === undefined || claim.head.height !== claim.height || !this.#hashes(claim)) {
      return failure('COMMIT_WRONG_BLOCK', `no header of height ${claim.height} with the head's hash`)
    }
    if (claim.commit === undefined) {
      return failure('COMMIT_TOO_FEW', `height ${claim.height} without a commit`)
    }
    this.checks += 1
    return checkCommit(this.#genesis, claim.commit, { height: claim.height, hash: claim.headHash })
  }

  #hashes(claim: Claim): boolean {
    try {
      return claim.head !== undefined && equalBytes(blockHash(this.#genesis.hash, claim.head), claim.headHash)
    } catch {
      // A number that has no place in the hashed layout.
      return false
    }
  }

  #remember(key: string, height: number): void {
    this.#known.set(key, height)
    const oldest = this.#known.keys().next().value
    if (this.#known.size > MAX_KNOWN && oldest !== undefined) this.#known.delete(oldest)
  }
}
