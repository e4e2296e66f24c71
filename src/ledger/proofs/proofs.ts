import type { Genesis } from '../../chain/genesis.ts'
import { genesisHeader } from '../../chain/header.ts'
import { HASH_BYTES, type LeafRange } from '../../chain/merkle.ts'
import { consistencyRanges, inclusionProof, inclusionRanges } from '../../chain/merkle-proof.ts'
import { toHex } from '../../codec/bytes.ts'
import { Header } from '../../codec/generated/chain.ts'
import { SignedEvent } from '../../codec/generated/event.ts'
import type { CompactProof, ConsistencyProof, HeaderProof } from '../../codec/generated/proof.ts'
import type { GetConsistencyProof, GetEventProof, GetHeaderProof, GetProof, Proof } from '../../codec/generated/sync.ts'
import { headerOf, splitBlock, splitFinalized } from '../../codec/raw.ts'
import { corrupt } from '../../store/errors.ts'
import type { Tip } from '../head.ts'
import type { Stores } from '../stores.ts'
import type { HistoryProver } from './history-proofs.ts'
import { notHeld, proofError } from './proof-error.ts'

type Bytes = Uint8Array<ArrayBuffer>

export interface ProverParts {
  readonly genesis: Genesis
  readonly stores: Stores
  readonly tip: () => Tip
  /** The lowest height whose block is held. */
  readonly earliest: () => number
  /** Whether every block is held, also those whose certificates are not verified yet. */
  readonly holdsAll: () => boolean
  readonly histories: HistoryProver
}

/**
 * Proofs from what the database holds (protocol §12). Each looks at the tip once, and rows up to a tip never change, so
 * blocks that are committed meanwhile make no difference. Of the mountain range O(log n) nodes are read.
 */
export class Prover {
  readonly #genesis: Genesis
  readonly #stores: Stores
  readonly #tip: () => Tip
  readonly #earliest: () => number
  readonly #holdsAll: () => boolean
  readonly #histories: HistoryProver

  constructor(parts: ProverParts) {
    this.#genesis = parts.genesis
    this.#stores = parts.stores
    this.#tip = parts.tip
    this.#earliest = parts.earliest
    this.#holdsAll = parts.holdsAll
    this.#histories = parts.histories
  }

  /**
   * @param onRead called with how many bytes were read, of proofs that may read many
   * @throws MolochError with a ProofErrorCode
   */
  async prove(request: GetProof, onRead?: (bytes: number) => void): Promise<Proof> {
    if (request.event !== undefined) return { event: await this.#event(request.event) }
    if (request.header !== undefined) return { header: await this.#header(request.header) }
    if (request.consistency !== undefined) return { consistency: await this.#consistency(request.consistency) }
    if (request.history !== undefined) return { history: await this.#histories.prove(request.history, onRead) }
    throw proofError('BAD_REQUEST', 'nothing is asked for; event, header, consistency or history is accepted')
  }

  /** Peaks of the range over blocks 0 … leafCount − 1, largest first. @throws MolochError UNAVAILABLE */
  async peaks(leafCount: number): Promise<Uint8Array[]> {
    const { height } = this.#tip()
    if (leafCount <= height + 1) return this.#stores.mmr.peaks(leafCount)
    throw proofError('UNAVAILABLE', `no ${leafCount} blocks here; this node's tip is ${height}`)
  }

  async #event({ eventId, anchorHeight }: GetEventProof): Promise<CompactProof> {
    const place = await this.#stores.eventIndex.find(eventId)
    const tip = this.#tip().height
    // Above the tip: its block's batch is being written right now.
    if (place === undefined || place.height > tip) {
      if (this.#holdsAll()) throw proofError('UNKNOWN_EVENT', `no finalized event ${toHex(eventId)} here`)
      throw notHeld(`event ${toHex(eventId)} is not final, or in`, this.#earliest())
    }
    const { height, index } = place
    this.#assertHeld(height)
    assertAnchor(`event ${toHex(eventId)} is in block ${height}`, height, anchorHeight, tip)
    const [block, row, mmrPath] = await Promise.all([
      this.#block(height),
      this.#stores.eventRows.ids(height),
      this.#mmrPath(height, anchorHeight)
    ])
    const event = splitBlock(block).events[index]
    if (event === undefined || row === undefined) {
      throw corrupt(this.#stores.database.path, `event ${index} of block ${height} is missing`)
    }
    const ids = hashesOf(row.ids)
    return {
      event: SignedEvent.decode(event),
      eventIndex: index,
      eventCount: ids.length,
      eventPath: inclusionProof(ids, index) as Bytes[],
      header: Header.decode(headerOf(block)),
      mmrPath,
      anchorHeight
    }
  }

  async #header({ height, anchorHeight }: GetHeaderProof): Promise<HeaderProof> {
    const tip = this.#tip().height
    if (height > 0) this.#assertHeld(height)
    if (height > tip) throw proofError('UNAVAILABLE', `no block ${height} here; this node's tip is ${tip}`)
    assertAnchor(`the header is of block ${height}`, height, anchorHeight, tip)
    const [header, mmrPath] = await Promise.all([this.#headerAt(height), this.#mmrPath(height, anchorHeight)])
    return { header, mmrPath, anchorHeight }
  }

  async #consistency({ from, to }: GetConsistencyProof): Promise<ConsistencyProof> {
    const { height } = this.#tip()
    if (from < 1 || from > to) {
      throw proofError('BAD_REQUEST', `no proof from header ${from} to header ${to}; 1 ≤ from ≤ to is accepted`)
    }
    if (to > height) throw proofError('UNAVAILABLE', `no header ${to} here; this node's tip is ${height}`)
    return { from, to, path: await this.#roots(consistencyRanges(from, to)) }
  }

  /** Of the block's hash in the tree that the anchor's mmr_root is the root of: that of all blocks below it. */
  #mmrPath(height: number, anchorHeight: number): Promise<Bytes[]> {
    return anchorHeight === 0 ? Promise.resolve([]) : this.#roots(inclusionRanges(height, anchorHeight))
  }

  #roots(ranges: readonly LeafRange[]): Promise<Bytes[]> {
    return Promise.all(ranges.map((range) => this.#stores.mmr.rangeRoot(range) as Promise<Bytes>))
  }

  #assertHeld(height: number): void {
    const earliest = this.#earliest()
    if (height < earliest) throw notHeld(`block ${height} is in`, earliest)
  }

  async #headerAt(height: number): Promise<Header> {
    if (height === 0) return genesisHeader(this.#genesis)
    return Header.decode(headerOf(await this.#block(height)))
  }

  /** The encoded Block. */
  async #block(height: number): Promise<Uint8Array> {
    const finalized = await this.#stores.blocks.get(height)
    if (finalized === undefined) throw corrupt(this.#stores.database.path, `block ${height} is missing`)
    return splitFinalized(finalized).block
  }
}

/** 0: the header of the block itself. */
function assertAnchor(what: string, height: number, anchor: number, tip: number): void {
  if (anchor > tip) throw proofError('UNAVAILABLE', `no header ${anchor} to anchor at; this node's tip is ${tip}`)
  if (anchor === 0 || anchor > height) return
  const covers = `headers from ${height + 1} up cover it`
  throw proofError('ANCHOR_TOO_OLD', `${what}: header ${anchor} does not cover it; ${covers}`)
}

function hashesOf(flat: Uint8Array): Uint8Array[] {
  const count = flat.byteLength / HASH_BYTES
  return Array.from({ length: count }, (_, i) => flat.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES))
}
