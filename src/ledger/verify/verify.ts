import { checkEvent } from '../../chain/event.ts'
import type { Failure } from '../../chain/failures.ts'
import type { Genesis } from '../../chain/genesis.ts'
import { MolochError, messageOf } from '../../error.ts'
import type { StoredRow } from '../../store/block-store.ts'
import { Database } from '../../store/database.ts'
import { type Stores, storesOf } from '../stores.ts'
import { ModelChain } from './model-chain.ts'
import { VerifyFault } from './verify-block-rows.ts'
import { checkHere, type FullCheck, PartialAudit } from './verify-partial.ts'
import { RowAudit } from './verify-rows.ts'

export interface VerifyOptions {
  /** Folder of the database, `HOME/data/chain`. */
  readonly path: string
  readonly genesis: Genesis
  /** Nothing in the folder is changed, not even by LevelDB: it may be on a disk that cannot be written to. */
  readonly readOnly?: boolean
  readonly onProgress?: (progress: { readonly height: number; readonly target: number }) => void
  /**
   * Checks encoded FinalizedBlocks, events included; a pool of threads does it faster. Default: here, one by one.
   */
  readonly check?: FullCheck
  readonly signal?: AbortSignal
}

export interface VerifyReport {
  /** Up to here all is as it must be. */
  readonly height: number
  readonly events: number
  /** The first fault in one line; undefined: there is none. */
  readonly fault: string | undefined
}

/** Blocks that are checked together; also the bound of what is in memory. */
const RUN_BLOCKS = 32
const RUN_BYTES = 4 << 20

/**
 * Checks a whole database from genesis (or what a node that warped holds: PartialAudit) as if it came from a stranger: every block, seal, commit and event signature,
 * and every row that was derived from them, recomputed. Nobody else may have it open.
 * @throws MolochError with a StoreErrorCode if it can't be opened
 */
export async function verifyHome(options: VerifyOptions): Promise<VerifyReport> {
  const { path, genesis, readOnly = false } = options
  const database = await Database.open(path, { genesisHash: genesis.hash, create: false, readOnly })
  try {
    const stores = storesOf(database)
    const whole = (await stores.meta.earliest()) === 1
    return await (whole ? verifyWhole(options, stores) : verifyPart(options, stores))
  } finally {
    await database.close()
  }
}

/** From genesis. */
async function verifyWhole(options: VerifyOptions, stores: Stores): Promise<VerifyReport> {
  const { genesis } = options
  const chain = new ModelChain(genesis)
  const done = (fault?: string): VerifyReport => ({ height: chain.tip.height, events: chain.state.eventTotal, fault })
  return reported(done, async () => {
    const audit = await RowAudit.begin(genesis, stores, chain)
    const target = (await stores.meta.tip())?.height ?? 0
    let height = 0
    for await (const run of runsOf(stores, target)) {
      options.signal?.throwIfAborted()
      const gap = run.findIndex((row) => row.height !== ++height)
      await verifyRun(
        options,
        chain,
        audit,
        (gap < 0 ? run : run.slice(0, gap)).map(({ bytes }) => bytes)
      )
      options.onProgress?.({ height: chain.tip.height, target })
      if (gap >= 0) break
    }
    if (chain.tip.height < target)
      throw new VerifyFault(`block ${chain.tip.height + 1} is missing; the tip is ${target}`)
    await audit.finish()
  })
}

/** Of a node that warped and has not all history yet. */
async function verifyPart(options: VerifyOptions, stores: Stores): Promise<VerifyReport> {
  const { genesis, check = checkHere(genesis) } = options
  let audit: PartialAudit | undefined
  const done = (fault?: string): VerifyReport => ({ height: audit?.height ?? 0, events: audit?.events ?? 0, fault })
  return reported(done, async () => {
    audit = await PartialAudit.begin(genesis, stores)
    const target = (await stores.meta.tip())?.height ?? 0
    for await (const run of runsOf(stores, target)) {
      options.signal?.throwIfAborted()
      await audit.run(run, check)
      options.onProgress?.({ height: audit.height, target })
    }
    await audit.finish(target)
    await stores.mempool.load((bytes) => checkEvent(bytes, genesis.params))
  })
}

async function reported(done: (fault?: string) => VerifyReport, work: () => Promise<void>): Promise<VerifyReport> {
  try {
    await work()
    return done()
  } catch (error) {
    // What the system would not do says nothing of what is on the disk.
    if (!(error instanceof MolochError) || error.code === 'STORE_FAILED') throw error
    return done(messageOf(error))
  }
}

/** Stored blocks from height 1 up, some at a time. */
async function* runsOf(stores: Stores, target: number): AsyncGenerator<StoredRow[]> {
  let run: StoredRow[] = []
  let bytes = 0
  for await (const row of stores.blocks.range(1, target, RUN_BYTES)) {
    run.push(row)
    bytes += row.bytes.byteLength
    if (run.length < RUN_BLOCKS && bytes < RUN_BYTES) continue
    yield run
    run = []
    bytes = 0
  }
  if (run.length > 0) yield run
}

async function verifyRun(options: VerifyOptions, chain: ModelChain, audit: RowAudit, run: Uint8Array[]): Promise<void> {
  const { genesis, check = checkHere(genesis) } = options
  const results = await check(run)
  for (const result of results) {
    const block = result.ok ? result.block : undefined
    const fault = result.ok ? chain.check(result.block) : result.failure
    if (fault !== undefined || block === undefined) throw blockFault(chain.next.height, fault as Failure)
    await audit.block(block, chain.advance(block))
  }
}

function blockFault(height: number, { code, message }: Failure): VerifyFault {
  return new VerifyFault(`block ${height}: ${code}: ${message}`)
}
