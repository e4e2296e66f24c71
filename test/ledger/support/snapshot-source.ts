import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type CheckedManifest, checkManifest } from '../../../src/chain/snapshot-manifest.ts'
import { toHex } from '../../../src/codec/bytes.ts'
import { Ledger } from '../../../src/ledger/ledger.ts'
import type { Snapshots } from '../../../src/ledger/snapshot/snapshots.ts'
import { silentLog } from '../../../src/log.ts'
import { Database } from '../../../src/store/database.ts'
import { TABLE, type Table } from '../../../src/store/keys.ts'
import { applyAll } from '../../support/chain-builder.ts'
import { chainInMemory, type MemoryChain } from '../../support/chain-maker.ts'
import { tempDir } from '../../support/temp-dir.ts'

export interface SnapshotSource {
  readonly chain: MemoryChain
  readonly ledger: Ledger
  readonly snapshots: Snapshots
  readonly manifest: CheckedManifest
  /** The database, of the ledger that is open. */
  readonly path: string
}

/** A ledger with blocks 1 … `height` of a chain and the snapshot at the height. */
export async function snapshotSource(
  height: number,
  chain: MemoryChain = chainInMemory(height + 20, {
    eventsPerBlock: 6,
    actors: 3,
    resources: 90,
    params: { snapshotInterval: 5 }
  }),
  stateWork = 20
): Promise<SnapshotSource> {
  const { genesis, blocks } = chain
  const path = join(tempDir(), 'chain')
  const folder = `${path}-snapshots`
  const ledger = await Ledger.open({
    path,
    genesis,
    log: silentLog,
    tuning: { stateWork },
    snapshots: { folder, keep: 2 }
  })
  onTestFinished(() => ledger.close())
  await applyAll(ledger, blocks.slice(0, height))
  const snapshots = ledger.snapshots as Snapshots
  if ((await snapshots.build()) !== height) throw new Error(`no snapshot at ${height}`)
  return { chain, ledger, snapshots, manifest: await checkedManifest(snapshots, chain, height), path }
}

export async function checkedManifest(
  snapshots: Snapshots,
  { genesis, blocks }: MemoryChain,
  height: number
): Promise<CheckedManifest> {
  const hash = blocks[height - 1]?.hash as Uint8Array
  const check = checkManifest(genesis, (await snapshots.readManifest(height)) as Uint8Array, { height, hash })
  if (!check.ok) throw new Error(check.failure.message)
  return check.manifest
}

/** What is the same in every database that holds a chain's blocks from some height on; nobody has it open. */
export async function chainRows(path: string, genesis: MemoryChain['genesis'], from: number): Promise<string[]> {
  const database = await Database.open(path, { genesisHash: genesis.hash, create: false })
  try {
    const rows: string[] = []
    for await (const [key, value] of database.rows({})) {
      const table = key[0] as Table
      const height = Buffer.from(key.buffer, key.byteOffset, key.byteLength)
      if (BY_HEIGHT.has(table) && height.readUIntBE(1, 6) < from) continue
      if (table === TABLE.HASH && Buffer.from(value).readUIntBE(0, 6) < from) continue
      rows.push(`${toHex(key)} ${toHex(value)}`)
    }
    return rows.filter((row) => !OF_WARPED.some((key) => row.startsWith(`${key} `)))
  } finally {
    await database.close()
  }
}

/** Tables with a row a block that is held. */
const BY_HEIGHT: ReadonlySet<Table> = new Set([TABLE.BLOCK, TABLE.HEADER, TABLE.EVENT_IDS, TABLE.EVENT_KEYS])

/** The rows that only a database which began with a snapshot has. */
const OF_WARPED = ['earliest', 'history'].map((name) =>
  toHex(Buffer.concat([Uint8Array.of(TABLE.META), Buffer.from(name)]))
)
