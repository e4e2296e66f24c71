import { blockHash } from '../chain/domain.ts'
import type { Genesis } from '../chain/genesis.ts'
import { encodeHeader, genesisBlockHash, genesisHeader } from '../chain/header.ts'
import { equalBytes } from '../codec/bytes.ts'
import { Commit, Header } from '../codec/generated/chain.ts'
import { type FinalizedParts, headerOf, joinBlock, sealedHeaderOf, splitBlock, splitFinalized } from '../codec/raw.ts'
import { corrupt } from '../store/errors.ts'
import type { Tip } from './head.ts'
import type { Stores } from './stores.ts'
import { trustedHeader } from './trusted-header.ts'

export interface StoredBlock {
  readonly hash: Uint8Array
  /** The encoded Block, as it came in. */
  readonly blockBytes: Uint8Array
  /** The encoded Commit; empty for block 0, and for history whose certificate is not verified yet. */
  readonly commitBytes: Uint8Array
}

/** A header with what vouches for it; block 0, and history whose certificate is not verified yet, has an empty seal and no commit. */
export interface SealedHeader {
  readonly hash: Uint8Array
  readonly header: Header
  readonly seal: Uint8Array
  readonly commit: Commit | undefined
}

export function sealedHeader({ hash, blockBytes, commitBytes }: StoredBlock): SealedHeader {
  const { header, seal } = sealedHeaderOf(blockBytes)
  // Nobody has verified the seal either.
  if (commitBytes.byteLength === 0) return { hash, header: Header.decode(header), seal: NOTHING, commit: undefined }
  return { hash, header: Header.decode(header), seal, commit: Commit.decode(commitBytes) }
}

export interface FoundEvent {
  readonly height: number
  /** Place in its block. */
  readonly index: number
  /** The encoded SignedEvent. */
  readonly bytes: Uint8Array
}

/** A peer that downloads slowly holds this much in memory, whatever it asked for. */
const READ_AHEAD_BYTES = 256 << 10

/**
 * Of blocks that are read for one answer of headers, where those have no rows of their own: 1024 full blocks are a
 * gigabyte. Against requests that cost little to ask and to send, and much to read.
 */
const HEADERS_READ_BYTES = 32 << 20

/** Headers that are read from their own rows together, or else from their blocks. */
const HEADERS_RUN = 128

const NOTHING = new Uint8Array(0)

export interface ReaderParts {
  readonly genesis: Genesis
  readonly stores: Stores
  readonly tip: () => Tip
  /** From here up all blocks are held, with their certificates verified; below there may be some. */
  readonly earliest: () => number
}

/** Reads of finalized blocks up to the tip. Below the earliest height what is held is proven by its hash alone. */
export class ChainReader {
  readonly #genesis: Genesis
  readonly #stores: Stores
  readonly #tip: () => Tip
  readonly #earliest: () => number

  constructor({ genesis, stores, tip, earliest }: ReaderParts) {
    this.#genesis = genesis
    this.#stores = stores
    this.#tip = tip
    this.#earliest = earliest
  }

  async blockAt(height: number): Promise<StoredBlock | undefined> {
    if (height === 0) return this.#blockZero()
    const finalized = await this.#finalizedAt(height)
    if (finalized === undefined) return undefined
    const { block: blockBytes, commit } = splitFinalized(finalized)
    const commitBytes = height < this.#earliest() ? NOTHING : commit
    return { hash: this.#hashOf(blockBytes), blockBytes, commitBytes }
  }

  async headerAt(height: number): Promise<{ header: Header; hash: Uint8Array } | undefined> {
    const block = await this.blockAt(height)
    return block && { header: Header.decode(headerOf(block.blockBytes)), hash: block.hash }
  }

  async commitAt(height: number): Promise<Uint8Array | undefined> {
    if (height < this.#earliest()) return undefined
    const finalized = await this.#finalizedAt(height)
    return finalized && splitFinalized(finalized).commit
  }

  async heightOf(hash: Uint8Array): Promise<number | undefined> {
    if (equalBytes(hash, genesisBlockHash(this.#genesis))) return 0
    const height = await this.#stores.blocks.heightOf(hash)
    return height !== undefined && height >= this.#earliest() ? height : undefined
  }

  async *readRange(start: number, count: number, maxBytes: number): AsyncGenerator<Uint8Array> {
    if (start < this.#earliest()) return
    const end = Math.min(start + count - 1, this.#tip().height)
    let left = maxBytes
    for await (const { bytes } of this.#stores.blocks.range(start, end, Math.min(maxBytes, READ_AHEAD_BYTES))) {
      if (bytes.byteLength > left && left < maxBytes) return
      left -= bytes.byteLength
      yield bytes
    }
  }

  /** Encoded TrustedHeaders. */
  async *readHeaders(start: number, count: number): AsyncGenerator<Uint8Array> {
    if (start < this.#earliest()) return
    const tip = this.#tip()
    const end = Math.min(start + count - 1, tip.height)
    let left = HEADERS_READ_BYTES
    for (let from = start; from <= end && left >= 0; from += HEADERS_RUN) {
      const to = Math.min(from + HEADERS_RUN - 1, end)
      const rows = await this.#stores.headers.run(from, to)
      if (rows === undefined) left = yield* this.#cutHeaders(from, to, tip, left)
      else yield* rows
    }
  }

  /**
   * Out of the blocks; the root after each is what the next header carries, or the tip's. One at least; then no more
   * once `left` bytes are read.
   * @returns how many are left then
   */
  async *#cutHeaders(from: number, to: number, tip: Tip, left: number): AsyncGenerator<Uint8Array, number> {
    let at = from
    let rest = left
    let before: FinalizedParts | undefined
    const range = this.#stores.blocks.range(from, Math.min(to + 1, tip.height), READ_AHEAD_BYTES)
    for await (const { height, bytes } of range) {
      if (height !== at) throw corrupt(this.#stores.database.path, `block ${at} is missing`)
      const parts = splitFinalized(bytes)
      if (before !== undefined) yield trustedHeader(before, Header.decode(headerOf(parts.block)).mmrRoot)
      rest -= bytes.byteLength
      if (rest < 0 && before !== undefined) return rest
      before = at <= to ? parts : undefined
      at++
    }
    if (before !== undefined) yield trustedHeader(before, tip.mmrRoot)
    return rest
  }

  async event(id: Uint8Array): Promise<FoundEvent | undefined> {
    const place = await this.#stores.eventIndex.find(id)
    const events = place && (await this.eventsAt(place.height))
    // No events: the block's batch is being written right now.
    if (place === undefined || events === undefined) return undefined
    const bytes = events[place.index]
    if (bytes === undefined) throw corrupt(this.#stores.database.path, `event ${place.index} of block ${place.height}`)
    return { ...place, bytes }
  }

  /** The encoded SignedEvents of a block. */
  async eventsAt(height: number): Promise<readonly Uint8Array[] | undefined> {
    const finalized = await this.#finalizedAt(height)
    return finalized && splitBlock(splitFinalized(finalized).block).events
  }

  async #finalizedAt(height: number): Promise<Uint8Array | undefined> {
    if (!Number.isSafeInteger(height) || height < 1 || height > this.#tip().height) return undefined
    const finalized = await this.#stores.blocks.get(height)
    if (finalized === undefined && height >= this.#earliest()) {
      throw corrupt(this.#stores.database.path, `block ${height} is missing`)
    }
    return finalized
  }

  #blockZero(): StoredBlock {
    const header = genesisHeader(this.#genesis)
    const blockBytes = joinBlock(encodeHeader(header), NOTHING, [])
    return { hash: blockHash(this.#genesis.hash, header), blockBytes, commitBytes: NOTHING }
  }

  #hashOf(blockBytes: Uint8Array): Uint8Array {
    return blockHash(this.#genesis.hash, Header.decode(headerOf(blockBytes)))
  }
}
