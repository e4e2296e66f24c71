import { blockHash } from '../chain/domain.ts'
import { hashEvents } from '../chain/event-hashes.ts'
import { EventWindow } from '../chain/event-window.ts'
import type { Genesis } from '../chain/genesis.ts'
import { Mmr } from '../chain/mmr.ts'
import { equalBytes } from '../codec/bytes.ts'
import { Header } from '../codec/generated/chain.ts'
import { splitBlock, splitFinalized } from '../codec/raw.ts'
import { corrupt } from '../store/errors.ts'
import type { StoredTip } from '../store/meta-store.ts'
import { ChainHead, type Tip } from './head.ts'
import { MAX_CHANGED_BUCKETS, StateTries } from './state.ts'
import type { Stores } from './stores.ts'

/** Blocks read ahead while the state is brought up to the tip. */
const REFOLD_READ_AHEAD_BYTES = 1 << 20

/** What a ledger goes on from. */
export interface RestoredChain {
  readonly head: ChainHead
  readonly state: StateTries
}

/**
 * The chain's end as the database has it; writes block 0's rows if there is nothing yet.
 * @throws MolochError STORE_CORRUPT
 */
export async function restoreChain(genesis: Genesis, stores: Stores): Promise<RestoredChain> {
  const tip = await stores.meta.tip()
  if (tip === undefined) return { head: await writeGenesis(genesis, stores), state: await openState(stores, 0) }
  const header = await readHeader(genesis, stores, tip)
  const mmr = Mmr.from(tip.height + 1, await stores.mmr.peaks(tip.height + 1))
  const state = await restoreState(stores, tip.height)
  const stateRoot = await state.root(genesis.validators.hash)
  return { head: new ChainHead(genesis, { hash: tip.hash, header, mmr, stateRoot }), state }
}

function openState(stores: Stores, eventTotal: number): Promise<StateTries> {
  return StateTries.open(stores.database, stores.state, eventTotal)
}

async function writeGenesis(genesis: Genesis, stores: Stores): Promise<ChainHead> {
  const head = ChainHead.atGenesis(genesis)
  const batch = stores.database.batch()
  stores.mmr.put(batch, 0, head.tip.hash, [])
  stores.meta.setTip(batch, head.tip)
  await stores.database.write(batch)
  return head
}

async function readHeader(genesis: Genesis, stores: Stores, tip: StoredTip): Promise<Header> {
  if (tip.height === 0) return ChainHead.atGenesis(genesis).tip.header
  const finalized = await stores.blocks.get(tip.height)
  if (finalized === undefined) throw corrupt(stores.database.path, `block ${tip.height}, the tip, is missing`)
  const header = Header.decode(splitBlock(splitFinalized(finalized).block).header)
  if (!equalBytes(blockHash(genesis.hash, header), tip.hash)) {
    throw corrupt(stores.database.path, `block ${tip.height} is not the tip's`)
  }
  return header
}

/** The state on disk, and the events of the blocks since it was written. */
async function restoreState(stores: Stores, tipHeight: number): Promise<StateTries> {
  const mark = await stores.meta.stateMark()
  const state = await openState(stores, mark.eventTotal)
  let height = mark.height
  for await (const row of stores.blocks.range(mark.height + 1, tipHeight, REFOLD_READ_AHEAD_BYTES)) {
    if (row.height !== height + 1) break
    height++
    const blockBytes = splitFinalized(row.bytes).block
    await state.fold({ ...hashEvents(splitBlock(blockBytes).events), blockBytes })
    // One that is far behind (a migration took it) would fill memory.
    if (state.changed > MAX_CHANGED_BUCKETS) await writeState(stores, state, height)
  }
  if (height !== tipHeight) throw corrupt(stores.database.path, `block ${height + 1} is missing`)
  return state
}

async function writeState(stores: Stores, state: StateTries, height: number): Promise<void> {
  const batch = stores.database.batch()
  await state.flush(batch)
  stores.meta.setStateMark(batch, { height, eventTotal: state.eventTotal })
  await stores.database.write(batch)
  state.written()
}

/** The ids of the blocks of the last 2W (protocol §3), as far as they are held. */
export async function restoreWindow(
  genesis: Genesis,
  stores: Stores,
  tip: Tip,
  earliest: number
): Promise<EventWindow> {
  const window = new EventWindow(genesis.params.eventWindowMs)
  const { height: tipHeight, header } = tip
  const oldest = header.timestamp - 2 * genesis.params.eventWindowMs
  const start = await firstSince(stores, oldest, earliest, tipHeight)
  for await (const row of stores.eventRows.idsFrom(start)) window.add(row.timestamp, row.ids)
  window.prune(header.timestamp)
  return window
}

/** From when on all blocks are held, Unix ms: the timestamp of the earliest; with block 1 since ever. */
export async function windowStart(stores: Stores, earliest: number): Promise<number> {
  if (earliest === 1) return Number.NEGATIVE_INFINITY
  const finalized = await stores.blocks.get(earliest)
  if (finalized === undefined) throw corrupt(stores.database.path, `block ${earliest}, the earliest, is missing`)
  return Header.decode(splitBlock(splitFinalized(finalized).block).header).timestamp
}

/** The lowest height, from the earliest on, whose first block with events, at it or above, has a timestamp of at least `oldest`. */
async function firstSince(stores: Stores, oldest: number, earliest: number, tipHeight: number): Promise<number> {
  let low = earliest
  let high = tipHeight + 1
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const found = await stores.eventRows.firstFrom(middle)
    if (found === undefined || found.timestamp >= oldest) high = middle
    else low = found.height + 1
  }
  return low
}
