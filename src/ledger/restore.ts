import { blockHash } from '../chain/domain.ts'
import { hashEvents } from '../chain/event-hashes.ts'
import { EventWindow } from '../chain/event-window.ts'
import type { Genesis } from '../chain/genesis.ts'
import { Mmr } from '../chain/mmr.ts'
import { StateIndexes } from '../chain/state.ts'
import { equalBytes } from '../codec/bytes.ts'
import { Header } from '../codec/generated/chain.ts'
import { splitBlock, splitFinalized } from '../codec/raw.ts'
import { corrupt } from '../store/errors.ts'
import type { StoredTip } from '../store/meta-store.ts'
import { ChainHead } from './head.ts'
import type { Stores } from './stores.ts'

/** Blocks read ahead while the state is brought up to the tip. */
const REFOLD_READ_AHEAD_BYTES = 1 << 20

/**
 * The chain's end as the database has it; writes block 0's rows if there is nothing yet.
 * @throws MolochError STORE_CORRUPT
 */
export async function restoreHead(genesis: Genesis, stores: Stores): Promise<ChainHead> {
  const tip = await stores.meta.tip()
  if (tip === undefined) return writeGenesis(genesis, stores)
  const header = await readHeader(genesis, stores, tip)
  const mmr = Mmr.from(tip.height + 1, await stores.mmr.peaks(tip.height + 1))
  return new ChainHead(genesis, { hash: tip.hash, header, mmr, state: await restoreState(stores, tip.height) })
}

async function writeGenesis(genesis: Genesis, stores: Stores): Promise<ChainHead> {
  const { head, nodes } = ChainHead.atGenesis(genesis)
  const batch = stores.database.batch()
  stores.mmr.put(batch, 0, nodes)
  stores.meta.setTip(batch, head.tip)
  await stores.database.write(batch)
  return head
}

async function readHeader(genesis: Genesis, stores: Stores, tip: StoredTip): Promise<Header> {
  if (tip.height === 0) return ChainHead.atGenesis(genesis).head.tip.header
  const finalized = await stores.blocks.get(tip.height)
  if (finalized === undefined) throw corrupt(stores.database.path, `block ${tip.height}, the tip, is missing`)
  const header = Header.decode(splitBlock(splitFinalized(finalized).block).header)
  if (!equalBytes(blockHash(genesis.hash, header), tip.hash)) {
    throw corrupt(stores.database.path, `block ${tip.height} is not the tip's`)
  }
  return header
}

/** The entries on disk, and the events of the blocks since they were written. */
async function restoreState(stores: Stores, tipHeight: number): Promise<StateIndexes> {
  const mark = await stores.meta.stateMark()
  const state = new StateIndexes()
  for await (const entry of stores.state.all()) state.load([entry], mark.eventTotal)
  let height = mark.height
  for await (const row of stores.blocks.range(mark.height + 1, tipHeight, REFOLD_READ_AHEAD_BYTES)) {
    const blockBytes = splitFinalized(row.bytes).block
    state.fold({ ...hashEvents(splitBlock(blockBytes).events), blockBytes })
    height++
    if (row.height !== height) break
  }
  if (height !== tipHeight) throw corrupt(stores.database.path, `block ${height + 1} is missing`)
  return state
}

/** The ids of the blocks of the last 2W (protocol §3). */
export async function restoreWindow(genesis: Genesis, stores: Stores, head: ChainHead): Promise<EventWindow> {
  const window = new EventWindow(genesis.params.eventWindowMs)
  const { height: tipHeight, header } = head.tip
  const oldest = header.timestamp - 2 * genesis.params.eventWindowMs
  const start = await firstSince(stores, oldest, tipHeight)
  for await (const row of stores.eventRows.idsFrom(start)) window.add(row.timestamp, row.ids)
  window.prune(header.timestamp)
  return window
}

/** The lowest height whose first block with events, at it or above, has a timestamp of at least `oldest`. */
async function firstSince(stores: Stores, oldest: number, tipHeight: number): Promise<number> {
  let low = 1
  let high = tipHeight + 1
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const found = await stores.eventRows.firstFrom(middle)
    if (found === undefined || found.timestamp >= oldest) high = middle
    else low = found.height + 1
  }
  return low
}
