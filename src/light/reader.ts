import { blockHash } from '../chain/domain.ts'
import type { Genesis } from '../chain/genesis.ts'
import { genesisBlockHash, genesisHeader } from '../chain/header.ts'
import { type Header, TrustedHeader } from '../codec/generated/chain.ts'
import { corrupt } from '../store/errors.ts'
import type { HeaderLog } from './header-log.ts'
import { holds } from './held.ts'

/** Reads of trusted headers. */
export class HeaderReader {
  readonly #genesis: Genesis
  readonly #log: HeaderLog
  readonly #path: string

  constructor(genesis: Genesis, log: HeaderLog, path: string) {
    this.#genesis = genesis
    this.#log = log
    this.#path = path
  }

  async headerAt(height: number): Promise<{ header: Header; hash: Uint8Array } | undefined> {
    if (height === 0) return { header: genesisHeader(this.#genesis), hash: genesisBlockHash(this.#genesis) }
    const row = await this.trustedAt(height)
    if (row === undefined) return undefined
    const { header } = TrustedHeader.decode(row)
    if (header === undefined) throw corrupt(this.#path, `header ${height} is none`)
    return { header, hash: blockHash(this.#genesis.hash, header) }
  }

  async trustedAt(height: number): Promise<Uint8Array | undefined> {
    const row = await this.#log.get(height)
    // Not if it was pruned while it was looked for.
    if (row === undefined && holds(this.#log.held, height)) throw corrupt(this.#path, `header ${height} is missing`)
    return row
  }
}
