import type { CheckedBlock } from '../../src/chain/check-block.ts'
import { blockHash, stateRootHash, ZERO_HASH } from '../../src/chain/domain.ts'
import { indexKeysOf } from '../../src/chain/event.ts'
import type { Genesis } from '../../src/chain/genesis.ts'
import type { Header } from '../../src/chain/header.ts'
import { foldHead, MAX_PAGE_IDS } from '../../src/chain/history.ts'
import { recordsOf } from '../../src/chain/index-entries.ts'
import { STATE_INDEXES, type StateEntry, type StateIndex } from '../../src/chain/state.ts'
import { subtreeHash } from '../../src/chain/trie-bucket.ts'
import { provePath } from '../../src/chain/trie-proof.ts'
import { compareBytes, toHex, u64be } from '../../src/codec/bytes.ts'
import type { HistoryPage, HistoryProof } from '../../src/codec/generated/proof.ts'
import type { GetHistoryProof } from '../../src/codec/generated/sync.ts'
import { splitBlock } from '../../src/codec/raw.ts'
import { sha256 } from '../../src/crypto/sha256.ts'
import type { Anchor } from '../../src/light/verify/anchor.ts'
import type { HistoryKey } from '../../src/light/verify/history-key.ts'

type Bytes = Uint8Array<ArrayBuffer>

export const NO_HEAD: Bytes = new Uint8Array(0)

interface Found extends HistoryKey {
  readonly ids: readonly Bytes[]
}

/** What a chain's keys have done, by the definition: every event of every block is looked at. */
export class Histories {
  readonly #blocks: readonly CheckedBlock[]

  /** @param blocks from height 1 up */
  constructor(blocks: readonly CheckedBlock[]) {
    this.#blocks = blocks
  }

  /** Every key that has an event in the blocks before the anchor. */
  keys(anchor: number): Found[] {
    return STATE_INDEXES.flatMap((index) => [...this.#index(index, anchor).values()])
  }

  idsOf({ index, key }: HistoryKey, anchor: number): readonly Bytes[] {
    return this.#index(index, anchor).get(toHex(key))?.ids ?? []
  }

  /** The whole proof; the anchor's height carries a new state root. */
  proof(asked: HistoryKey, anchor: number): HistoryProof {
    const records = STATE_INDEXES.map((index) => recordsOf(this.#entries(index, anchor)))
    const roots = records.map((all) => (all.byteLength === 0 ? ZERO_HASH : subtreeHash(all, 0)) as Bytes)
    const { siblings, leaf } = provePath(records[asked.index] as Uint8Array, sha256(asked.key))
    const state = {
      eventTotal: this.#blocks.slice(0, anchor - 1).reduce((sum, { eventIds }) => sum + eventIds.byteLength / 32, 0),
      otherRoots: roots.filter((_, index) => index !== asked.index),
      siblings: siblings as Bytes[],
      ...(leaf === undefined ? {} : { leaf: leaf as HistoryProofLeaf })
    }
    return { anchorHeight: anchor, state, pages: pagesOf(this.idsOf(asked, anchor)) }
  }

  /** What an honest peer answers a request with; its anchor is not 0. */
  answer({ index, key, anchorHeight, beforeCount }: GetHistoryProof): HistoryProof {
    const whole = this.proof({ index: index as StateIndex, key }, anchorHeight)
    if (beforeCount === 0) return { ...whole, pages: whole.pages.slice(0, 1) }
    const left = whole.pages.findIndex((_, at) => countOf(whole.pages.slice(at)) === beforeCount)
    return { anchorHeight, pages: whole.pages.slice(left, left + 1) }
  }

  #index(index: StateIndex, anchor: number): Map<string, { index: StateIndex; key: Bytes; ids: Bytes[] }> {
    const found = new Map<string, { index: StateIndex; key: Bytes; ids: Bytes[] }>()
    for (const { blockBytes, eventIds } of this.#blocks.slice(0, anchor - 1)) {
      for (const [at, event] of splitBlock(blockBytes).events.entries()) {
        const key = indexKeysOf(event)[index] as Bytes
        const one = found.get(toHex(key)) ?? { index, key, ids: [] }
        one.ids.push(eventIds.slice(32 * at, 32 * at + 32) as Bytes)
        found.set(toHex(key), one)
      }
    }
    return found
  }

  #entries(index: StateIndex, anchor: number): StateEntry[] {
    return [...this.#index(index, anchor).values()]
      .map(({ key, ids }) => {
        return { key, keyHash: sha256(key), count: ids.length, head: foldHead({ prevHead: ZERO_HASH, ids }) }
      })
      .sort((a, b) => compareBytes(a.keyHash, b.keyHash))
  }
}

type HistoryProofLeaf = NonNullable<NonNullable<HistoryProof['state']>['leaf']>

/** The pages of a list of ids, the newest first. */
export function pagesOf(ids: readonly Bytes[]): HistoryPage[] {
  const pages: HistoryPage[] = []
  let prevHead = ZERO_HASH as Bytes
  for (let at = 0; at < ids.length; at += MAX_PAGE_IDS) {
    const page = { prevHead, ids: ids.slice(at, at + MAX_PAGE_IDS) }
    pages.unshift(page)
    prevHead = foldHead(page) as Bytes
  }
  return pages
}

/** The whole proof, asked for page by page. */
export async function askWhole(
  ask: (request: GetHistoryProof) => Promise<HistoryProof>,
  { index, key }: HistoryKey,
  anchorHeight: number
): Promise<HistoryProof> {
  const request = { index, key: key as Bytes, anchorHeight, beforeCount: 0, beforeHead: NO_HEAD }
  const whole = await ask(request)
  let left = whole.state?.leaf?.count ?? 0
  for (let page = whole.pages[0]; page !== undefined; page = whole.pages.at(-1)) {
    left -= page.ids.length
    if (left <= 0) break
    const { pages } = await ask({
      ...request,
      anchorHeight: whole.anchorHeight,
      beforeCount: left,
      beforeHead: page.prevHead
    })
    whole.pages.push(...pages)
  }
  return whole
}

function countOf(pages: readonly HistoryPage[]): number {
  return pages.reduce((sum, { ids }) => sum + ids.length, 0)
}

/** A header like the given one whose state has one key alone, and the proof of its events, which need not be any. */
export function onlyKey(
  { hash }: Pick<Genesis, 'hash'>,
  like: Header,
  { index, key }: HistoryKey,
  ids: readonly Bytes[]
) {
  const leaf = { keyHash: sha256(key), count: ids.length, head: foldHead({ prevHead: ZERO_HASH, ids }) as Bytes }
  const zeros = [new Uint8Array(32), new Uint8Array(32)] as [Bytes, Bytes]
  const roots = [...zeros]
  roots.splice(index, 0, subtreeHash(recordsOf([leaf]), 0) as Bytes)
  const stateRoot = stateRootHash(ids.length, like.validatorsHash, ...(roots as [Bytes, Bytes, Bytes]))
  const header = { ...like, stateRoot }
  const anchor: Anchor = { height: like.height, hash: blockHash(hash, header), header }
  const state = { eventTotal: ids.length, otherRoots: zeros, siblings: [], leaf }
  const proof: HistoryProof = { anchorHeight: like.height, state, pages: pagesOf(ids) }
  return { anchor, proof }
}

/** Two full pages and three more. */
export const LONG_HISTORY = Array.from({ length: 2 * MAX_PAGE_IDS + 3 }, (_, i) => sha256(u64be(i)))
