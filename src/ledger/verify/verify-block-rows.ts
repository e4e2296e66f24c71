import type { CheckedBlock } from '../../chain/check-block.ts'
import { equalBytes } from '../../codec/bytes.ts'
import { MolochError } from '../../error.ts'
import { packKeys } from '../../store/event-rows.ts'
import type { HeightRange } from '../../store/height-ranges.ts'
import { mmrRow } from '../../store/mmr-store.ts'
import { type BlockIds, packSegment } from '../../store/segment.ts'
import type { Stores } from '../stores.ts'
import { trustedHeader } from '../trusted-header.ts'

/** A row that is not what the blocks say it is; the message is one line. */
export class VerifyFault extends MolochError<'VERIFY_FAULT'> {
  constructor(message: string) {
    super('VERIFY_FAULT', message)
  }
}

/** Compares the rows that follow from single blocks with what those that are held, in ascending order, say they must be. */
export class BlockRowAudit {
  readonly #stores: Stores
  /** Segments that are still to come. */
  readonly #segments: HeightRange[]
  #segmentBlocks: BlockIds[] = []
  #segmentRows = 0
  #blocks = 0
  #blocksWithEvents = 0
  #headers = 0

  private constructor(stores: Stores, segments: HeightRange[]) {
    this.#stores = stores
    this.#segments = segments
  }

  static async begin(stores: Stores): Promise<BlockRowAudit> {
    const history = await stores.meta.history()
    return new BlockRowAudit(stores, await stores.eventIndex.segments(history?.base))
  }

  /** @param mmrRoot after the block */
  async block(block: CheckedBlock, mmrRoot: Uint8Array): Promise<void> {
    const { height, hash, eventIds } = block
    const found = await this.#stores.blocks.heightOf(hash)
    if (found !== height) throw new VerifyFault(`block ${height}: its hash leads to ${found ?? 'nothing'}`)
    await this.#eventRows(block)
    await this.#headerRow(block, mmrRoot)
    this.#blocks++
    const segment = this.#segments[0]
    if (segment === undefined || height < segment.from) return
    if (eventIds.byteLength > 0) this.#segmentBlocks.push({ height, ids: eventIds })
    if (height === segment.to) await this.#segment(height)
  }

  async #eventRows({ height, header, eventIds, keyHashes }: CheckedBlock): Promise<void> {
    const row = await this.#stores.eventRows.ids(height)
    const keys = await this.#stores.eventRows.keys(height)
    const none = eventIds.byteLength === 0
    const ids = none ? row === undefined : row?.timestamp === header.timestamp && equalBytes(row.ids, eventIds)
    if (!ids) throw new VerifyFault(`block ${height}: wrong row of event ids`)
    const right = none ? keys === undefined : keys !== undefined && equalBytes(keys, packKeys(keyHashes))
    if (!right) throw new VerifyFault(`block ${height}: wrong row of event keys`)
    if (!none) this.#blocksWithEvents++
  }

  /** It may be missing: a database that an older version wrote has none, and then headers are cut out of blocks. */
  async #headerRow({ height, blockBytes, commitBytes }: CheckedBlock, mmrRoot: Uint8Array): Promise<void> {
    const row = await this.#stores.headers.get(height)
    if (row === undefined) return
    const expected = trustedHeader({ block: blockBytes, commit: commitBytes }, mmrRoot)
    if (!equalBytes(row, expected)) throw new VerifyFault(`block ${height}: wrong row of its header`)
    this.#headers++
  }

  async #segment(lastHeight: number): Promise<void> {
    for (const [bucket, expected] of packSegment(this.#segmentBlocks)) {
      const row = await this.#stores.eventIndex.segmentRow(bucket, lastHeight)
      if (row === undefined || !equalBytes(row, expected)) {
        throw new VerifyFault(`block ${lastHeight}: wrong event index (row ${bucket} of its segment)`)
      }
      this.#segmentRows++
    }
    this.#segmentBlocks = []
    this.#segments.shift()
  }

  /** What must not be there, or is about no block. */
  async finish(tip: { readonly height: number; readonly hash: Uint8Array }): Promise<void> {
    const { meta, blocks, headers, mmr, eventRows, eventIndex } = this.#stores
    const stored = await meta.tip()
    if (stored === undefined || !equalBytes(stored.hash, tip.hash)) {
      throw new VerifyFault(`the tip is not block ${tip.height}`)
    }
    const highest = (await blocks.highest()) ?? 0
    if (highest > tip.height) throw new VerifyFault(`block ${highest} is above the tip ${tip.height}`)
    const state = (await meta.stateMark()).height
    if (state > tip.height) throw new VerifyFault(`the state is of block ${state}, above the tip`)
    if (this.#segments.length > 0) throw new VerifyFault(`the event index has a segment that ends at no block's height`)
    const [ids, keys] = await eventRows.count()
    for (const [what, found, expected] of [
      ['block hashes', await blocks.countHashes(), this.#blocks],
      ['rows of headers', await headers.count(), this.#headers],
      ['MMR leaves', await mmr.count(), tip.height + 1],
      ['rows of event ids', ids, this.#blocksWithEvents],
      ['rows of event keys', keys, this.#blocksWithEvents],
      ['rows of the event index', await eventIndex.countRows(), this.#segmentRows]
    ] as const) {
      if (found !== expected) throw new VerifyFault(`there are ${found} ${what}, not ${expected}`)
    }
  }
}

/** @param parents that the leaf completes in the range */
export async function auditMmrRow(
  { mmr }: Pick<Stores, 'mmr'>,
  leaf: number,
  hash: Uint8Array,
  parents: readonly Uint8Array[]
): Promise<void> {
  const row = await mmr.row(leaf)
  if (row === undefined || !equalBytes(row, mmrRow(hash, parents))) {
    throw new VerifyFault(`block ${leaf}: wrong MMR nodes`)
  }
}
