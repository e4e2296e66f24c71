import { blockHash } from '../../../src/chain/domain.ts'
import { eventId } from '../../../src/chain/event.ts'
import { genesisBlockHash, genesisHeader, type Header } from '../../../src/chain/header.ts'
import { leafHash } from '../../../src/chain/merkle.ts'
import { consistencyProof, inclusionProof } from '../../../src/chain/merkle-proof.ts'
import { Mmr } from '../../../src/chain/mmr.ts'
import { toHex } from '../../../src/codec/bytes.ts'
import { SignedEvent } from '../../../src/codec/generated/event.ts'
import type { CompactProof, ConsistencyProof, HeaderProof, HistoryProof } from '../../../src/codec/generated/proof.ts'
import { type GetProof, Proof } from '../../../src/codec/generated/sync.ts'
import { headerOf, joinTrustedHeader, splitBlock } from '../../../src/codec/raw.ts'
import { MolochError } from '../../../src/error.ts'
import type { HeadersAnswer, LightSource } from '../../../src/light/source.ts'
import type { Anchor } from '../../../src/light/verify/anchor.ts'
import type { HistoryKey } from '../../../src/light/verify/history-key.ts'
import type { ChainSpec } from '../../support/chain-maker.ts'
import { chainInMemory, type MemoryChain } from '../../support/chain-maker.ts'
import { Histories } from '../../support/histories.ts'

type Bytes = Uint8Array<ArrayBuffer>

/** A real chain in memory, served as a full node would; proofs are made from all its hashes, by the definition. */
export class ServedChain implements LightSource {
  readonly chain: MemoryChain
  /** Encoded TrustedHeaders; the first is of height 1. */
  readonly headers: Uint8Array[] = []
  /** Requests made so far: 'headers 5 1', 'header 3 under 9', … */
  readonly asked: string[] = []
  readonly histories: Histories
  readonly #leaves: Bytes[]
  /** Peaks of the range over blocks 0 … i − 1. */
  readonly #peaks: Uint8Array[][] = [[]]

  /** @param source a chain, or how many blocks of a new one */
  constructor(source: number | MemoryChain, spec: Partial<ChainSpec> = {}) {
    this.chain = typeof source === 'number' ? chainInMemory(source, { eventsPerBlock: 5, ...spec }) : source
    this.histories = new Histories(this.chain.blocks)
    this.#leaves = [genesisBlockHash(this.genesis), ...this.chain.blocks.map(({ hash }) => hash)].map(leafHash)
    const mmr = new Mmr()
    for (const [height, leaf] of this.#leaves.entries()) {
      mmr.append(leaf)
      this.#peaks.push(mmr.peaks)
      const block = this.chain.blocks[height - 1]
      if (block === undefined) continue
      const parts = { header: headerOf(block.blockBytes), seal: splitBlock(block.blockBytes).seal }
      this.headers.push(joinTrustedHeader({ ...parts, commit: block.commitBytes, mmrRoot: mmr.root() }))
    }
  }

  get genesis() {
    return this.chain.genesis
  }

  header(height: number): Header {
    return height === 0 ? genesisHeader(this.genesis) : (this.chain.blocks[height - 1]?.header as Header)
  }

  anchor(height: number): Anchor {
    const header = this.header(height)
    return { height, hash: blockHash(this.genesis.hash, header), header }
  }

  /** Encoded SignedEvents of a block. */
  events(height: number): readonly Bytes[] {
    return splitBlock(this.chain.blocks[height - 1]?.blockBytes as Bytes).events
  }

  eventId(height: number, index: number): Bytes {
    const { actor, signature, body } = SignedEvent.decode(this.events(height)[index] as Bytes)
    return eventId(actor, signature, body)
  }

  eventProof(height: number, index: number, anchorHeight: number): CompactProof {
    const events = this.events(height)
    const ids = events.map((_, at) => this.eventId(height, at))
    return {
      event: SignedEvent.decode(events[index] as Bytes),
      eventIndex: index,
      eventCount: events.length,
      eventPath: inclusionProof(ids, index) as Bytes[],
      ...this.headerProof(height, anchorHeight)
    }
  }

  headerProof(height: number, anchorHeight: number): HeaderProof & { header: Header } {
    const path = anchorHeight === 0 ? [] : inclusionProof(this.#leaves.slice(0, anchorHeight), height)
    return { header: this.header(height), mmrPath: path as Bytes[], anchorHeight }
  }

  consistencyProof(from: number, to: number): ConsistencyProof {
    return { from, to, path: consistencyProof(this.#leaves.slice(0, to), from) as Bytes[] }
  }

  /** Whole. */
  historyProof(key: HistoryKey, anchorHeight: number): HistoryProof {
    return this.histories.proof(key, anchorHeight)
  }

  /** The newest height that carries a state of its own. */
  get newestState(): number {
    const { length } = this.chain.blocks
    return length - (length % this.genesis.params.snapshotInterval)
  }

  /** Of the range over the first blocks, block 0 among them. */
  peaks(count: number): Uint8Array[] {
    return this.#peaks[count] ?? []
  }

  async getHeaders(start: number, count: number): Promise<HeadersAnswer> {
    this.asked.push(`headers ${start} ${count}`)
    return { peaks: this.peaks(start), headers: this.headers.slice(start - 1, start - 1 + count) }
  }

  async getProof({ event, header, consistency, history }: GetProof): Promise<Uint8Array> {
    if (history !== undefined) {
      this.asked.push(`history under ${history.anchorHeight} before ${history.beforeCount}`)
      const anchorHeight = history.anchorHeight === 0 ? this.newestState : history.anchorHeight
      return Proof.encode({ history: this.histories.answer({ ...history, anchorHeight }) })
    }
    if (header !== undefined) {
      const { height, anchorHeight } = header
      this.asked.push(`header ${height} under ${anchorHeight}`)
      return Proof.encode({ header: this.headerProof(height, anchorHeight) })
    }
    if (consistency !== undefined) {
      return Proof.encode({ consistency: this.consistencyProof(consistency.from, consistency.to) })
    }
    const id = toHex(event?.eventId ?? new Uint8Array(0))
    const anchorHeight = event?.anchorHeight ?? 0
    this.asked.push(`event under ${anchorHeight}`)
    for (const { height } of this.chain.blocks) {
      const index = this.events(height).findIndex((_, at) => toHex(this.eventId(height, at)) === id)
      if (index < 0) continue
      if (anchorHeight !== 0 && height >= anchorHeight) throw new MolochError('ANCHOR_TOO_OLD', `block ${height}`)
      return Proof.encode({ event: this.eventProof(height, index, anchorHeight) })
    }
    throw new MolochError('UNKNOWN_EVENT', `no event ${id}`)
  }
}
