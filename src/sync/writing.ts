import { equalBytes } from '../codec/bytes.ts'
import type { PeerFailure } from './events.ts'
import type { Syncable, SyncItems, SyncLedger } from './types.ts'

/** Wire bytes of one atomic write, and so of one fsync: the batch is in memory a second time while it is written. */
const BATCH_BYTES = 4 * 1024 * 1024

export interface Written {
  readonly applied: number
  /** About the item after those. */
  readonly failure: PeerFailure | undefined
}

/** What the sender of `item` has in place of our tip: its certified one of that height, if it gives it. */
export type FindRival<Item> = (item: Item) => Promise<Item | undefined>

/**
 * Writes consecutive checked items in batches. A certified one on another parent than our tip means that finality is
 * broken: the ledger says so by itself, but only its rival at the tip's height shows who signed twice, so that goes first.
 * @throws what the ledger throws when it could not write; the batches before are written
 */
export async function writeRange<Item extends Syncable>(
  ledger: SyncLedger<Item>,
  kind: Pick<SyncItems<Item>, 'kind' | 'wireBytes'>,
  items: readonly Item[],
  findRival: FindRival<Item>
): Promise<Written> {
  let at = 0
  while (at < items.length) {
    const batch = nextBatch(kind, items, at)
    const rival = isFork(ledger.tip, batch[0]) ? await findRival(batch[0] as Item) : undefined
    const before = rival === undefined ? [] : [rival]
    const { failure } = await ledger.apply([...before, ...batch])
    if (failure !== undefined) {
      const applied = at + Math.max(0, failure.index - before.length)
      const { code, message } = failure.failure
      return { applied, failure: { code, message, height: items[applied]?.height ?? 0 } }
    }
    at += batch.length
  }
  return { applied: items.length, failure: undefined }
}

function isFork(tip: SyncLedger<Syncable>['tip'], item: Syncable | undefined): boolean {
  return item !== undefined && item.height === tip.height + 1 && !equalBytes(item.header.parentHash, tip.hash)
}

/** Ends where an item is no child of the one before, too: they may be of two senders. */
function nextBatch<Item extends Syncable>(
  { kind, wireBytes }: Pick<SyncItems<Item>, 'kind' | 'wireBytes'>,
  items: readonly Item[],
  from: number
): Item[] {
  const batch: Item[] = []
  let bytes = 0
  for (const item of items.slice(from, from + kind.write)) {
    const parent = batch.at(-1)
    if (parent !== undefined && !equalBytes(item.header.parentHash, parent.hash)) break
    bytes += wireBytes(item)
    if (batch.length > 0 && bytes > BATCH_BYTES) break
    batch.push(item)
  }
  return batch
}
