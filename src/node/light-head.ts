import { type Commit, TrustedHeader } from '../codec/generated/chain.ts'
import type { LightChain } from '../light/light-chain.ts'
import type { Head } from '../network/types.ts'

/** The newest trusted header with the commit that proves it, as peers are told of it. */
export class LightHead {
  readonly #chain: LightChain
  #commit: { readonly height: number; readonly commit: Commit | undefined }

  private constructor(chain: LightChain, commit: Commit | undefined) {
    this.#chain = chain
    this.#commit = { height: chain.tip.height, commit }
    chain.on('finalized', ({ header }) => {
      this.#commit = { height: header.height, commit: header.commit }
    })
  }

  static async open(chain: LightChain): Promise<LightHead> {
    const row = await chain.trustedAt(chain.tip.height)
    return new LightHead(chain, row && TrustedHeader.decode(row).commit)
  }

  get(syncing: boolean): Head {
    const { height, hash, mmrRoot, header } = this.#chain.tip
    // Of several headers written at once each is told of: until the last one, the commit is of one below the tip.
    const commit = this.#commit.height === height ? this.#commit.commit : undefined
    // It holds no block.
    return { height, hash, mmrRoot, header, commit, earliestHeight: height + 1, syncing }
  }
}
