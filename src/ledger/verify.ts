import { type CheckResult, checkFinalized } from '../chain/check-block.ts'
import type { Failure } from '../chain/failures.ts'
import type { Genesis } from '../chain/genesis.ts'
import { MolochError, messageOf } from '../error.ts'
import { Database } from '../store/database.ts'
import { ModelChain } from './model-chain.ts'
import { type Stores, storesOf } from './stores.ts'
import { RowAudit, VerifyFault } from './verify-rows.ts'

export interface VerifyOptions {
  /** Folder of the database, `HOME/data/chain`. */
  readonly path: string
  readonly genesis: Genesis
  readonly onProgress?: (progress: { readonly height: number; readonly target: number }) => void
  /**
   * Checks encoded FinalizedBlocks, events included; a pool of threads does it faster. Default: here, one by one.
   */
  readonly check?: (frames: Uint8Array[]) => Promise<CheckResult[]>
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
 * Checks a whole database from genesis as if it came from a stranger: every block, seal, commit and event signature,
 * and every row that was derived from them, recomputed. Nobody else may have it open.
 * @throws MolochError with a StoreErrorCode if it can't be opened
 */
export async function verifyHome(options: VerifyOptions): Promise<VerifyReport> {
  const { path, genesis } = options
  const database = await Database.open(path, { genesisHash: genesis.hash, create: false })
  const stores = storesOf(database)
  const chain = new ModelChain(genesis)
  try {
    const audit = new RowAudit(genesis, stores, chain)
    await audit.begin()
    const target = (await stores.meta.tip())?.height ?? 0
    for await (const run of runsOf(stores, target)) {
      options.signal?.throwIfAborted()
      await verifyRun(options, chain, audit, run)
      options.onProgress?.({ height: chain.tip.height, target })
    }
    if (chain.tip.height < target)
      throw new VerifyFault(`block ${chain.tip.height + 1} is missing; the tip is ${target}`)
    await audit.finish()
    return { height: chain.tip.height, events: chain.state.eventTotal, fault: undefined }
  } catch (error) {
    if (!(error instanceof MolochError)) throw error
    return { height: chain.tip.height, events: chain.state.eventTotal, fault: messageOf(error) }
  } finally {
    await database.close()
  }
}

/** Stored blocks from height 1 up to the first gap, some at a time. */
async function* runsOf(stores: Stores, target: number): AsyncGenerator<Uint8Array[]> {
  let run: Uint8Array[] = []
  let bytes = 0
  let height = 0
  for await (const row of stores.blocks.range(1, target, RUN_BYTES)) {
    if (row.height !== ++height) break
    run.push(row.bytes)
    bytes += row.bytes.byteLength
    if (run.length < RUN_BLOCKS && bytes < RUN_BYTES) continue
    yield run
    run = []
    bytes = 0
  }
  if (run.length > 0) yield run
}

async function verifyRun(options: VerifyOptions, chain: ModelChain, audit: RowAudit, run: Uint8Array[]): Promise<void> {
  const { genesis } = options
  const results = options.check
    ? await options.check(run)
    : run.map((bytes) => checkFinalized(genesis, bytes, { verifyEvents: true }))
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
