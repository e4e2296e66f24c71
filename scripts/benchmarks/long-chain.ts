import { join } from 'node:path'
import type { CheckedBlock } from '../../src/chain/check-block.ts'
import { genesisBlockHash } from '../../src/chain/header.ts'
import { leafHash } from '../../src/chain/merkle.ts'
import { Mmr } from '../../src/chain/mmr.ts'
import { u64be } from '../../src/codec/bytes.ts'
import { joinFinalized } from '../../src/codec/raw.ts'
import type { KeyPair } from '../../src/crypto/ed25519.ts'
import { sha256 } from '../../src/crypto/sha256.ts'
import { buildBlock } from '../../src/ledger/build-block.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { type Stores, storesOf } from '../../src/ledger/stores.ts'
import { silentLog } from '../../src/log.ts'
import { Database } from '../../src/store/database.ts'
import { ChainMaker } from '../../test/support/chain-maker.ts'

export interface LongChain {
  /** Of the tip. */
  readonly height: number
  /** Where there are blocks; the last is the tip. */
  readonly blocksAt: readonly number[]
  readonly eventsPerBlock: number
}

/** Rows of a batch: LevelDB holds it in memory twice. */
const BATCH_ROWS = 50_000

/**
 * The database of a chain that is too long to be made with all of its blocks: the mountain range has every leaf and node,
 * and a few blocks are there, real ones under it; the leaves of all others are made up. The ledger opens it as any other.
 */
export async function openLongChain(folder: string, spec: LongChain): Promise<Ledger> {
  const { eventsPerBlock } = spec
  const maker = new ChainMaker({ eventsPerBlock })
  const { genesis } = maker
  const path = join(folder, 'long-chain')
  const database = await Database.open(path, { genesisHash: genesis.hash, create: true })
  // Each block is a segment of the event index: its events are looked up on disk.
  await writeRows(storesOf(database, eventsPerBlock), maker, spec)
  await database.close()
  return Ledger.open({ path, genesis, log: silentLog })
}

async function writeRows(stores: Stores, maker: ChainMaker, { height: tip, blocksAt, eventsPerBlock }: LongChain) {
  const { database, mmr: nodes, meta } = stores
  const mmr = new Mmr()
  const real = new Set(blocksAt)
  let parentHash: Uint8Array = genesisBlockHash(maker.genesis)
  let batch = database.batch()
  for (let height = 0; height <= tip; height++) {
    let hash = height === 0 ? parentHash : sha256(u64be(height))
    if (real.has(height)) {
      const block = makeBlock(maker, height, parentHash, mmr.root())
      hash = block.hash
      stores.blocks.put(batch, height, hash, joinFinalized(block.blockBytes, block.commitBytes))
      const row = { height, timestamp: block.header.timestamp, ids: block.eventIds }
      stores.eventRows.put(batch, row, block.keyHashes)
      stores.eventIndex.add(batch, height, block.eventIds)
    }
    nodes.put(batch, height, hash, mmr.append(leafHash(hash)))
    parentHash = hash
    if (height === tip) {
      meta.setTip(batch, { height, hash })
      meta.setStateMark(batch, { height, eventTotal: blocksAt.length * eventsPerBlock })
    } else if (batch.operations < BATCH_ROWS) continue
    await database.write(batch)
    stores.eventIndex.written()
    batch = database.batch()
  }
  await batch.discard()
}

function makeBlock(maker: ChainMaker, height: number, parentHash: Uint8Array, mmrRoot: Uint8Array): CheckedBlock {
  const { genesis, validators, head } = maker
  const { stateRoot, parentTimestamp } = head.next
  const next = { height, parentHash, mmrRoot, stateRoot, parentTimestamp }
  const proposer = validators[genesis.validators.proposer(height, 0)] as KeyPair
  return maker.certify(buildBlock(genesis, next, { timestamp: maker.nextTimestamp, proposer, events: maker.events() }))
}
