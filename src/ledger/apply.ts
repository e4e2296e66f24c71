import { setImmediate as nextTurn } from 'node:timers/promises'
import { type CheckedBlock, checkLink, type NextBlock } from '../chain/check-block.ts'
import type { CheckedHeader } from '../chain/check-header.ts'
import type { Checkpoint } from '../chain/checkpoint.ts'
import type { Failure } from '../chain/failures.ts'
import { HASH_BYTES } from '../chain/merkle.ts'
import { carriesState } from '../chain/state.ts'
import { equalBytes, toHex } from '../codec/bytes.ts'
import { joinFinalized } from '../codec/raw.ts'
import { MolochError } from '../error.ts'
import type { WriteBatch } from '../store/batch.ts'
import type { StoredStateMark } from '../store/meta-store.ts'
import type { ChainHead, Tip } from './head.ts'
import { Rivals, type RivalsParts } from './rivals.ts'
import type { StateTries } from './state.ts'
import { StateDebt } from './state-debt.ts'
import type { Stores } from './stores.ts'
import { hasRow, trustedHeader } from './trusted-header.ts'

export interface ApplyResult {
  /** Blocks that this call made final; those that were before don't count. */
  readonly applied: number
  /** Why it stopped; blocks before `index` are final, the one there and those after it changed nothing. */
  readonly failure?: { readonly index: number; readonly failure: Failure }
}

/** A larger run of blocks is several batches: LevelDB holds one in memory twice while it is written. */
const MAX_BATCH_BYTES = 4 << 20
/** Folding 32 blocks of 100 events takes 20 ms; the loop has pings to answer in between. */
const SLICE_MS = 8
/** After so long without a block the tries are hashed, so that the next snapshot height finds nearly nothing to do. */
const IDLE_MS = 40

export interface ApplierParts extends RivalsParts {
  readonly state: StateTries
  readonly stateMark: StoredStateMark
  readonly stateWork?: number | undefined
  /** The chain does not go past its height with another block. */
  readonly checkpoint?: Checkpoint | undefined
  /** No block has come for a moment, and nothing is left to hash. */
  readonly onIdle: () => void
  readonly onWritten: (blocks: readonly CheckedBlock[]) => Promise<void>
}

/** What everybody else may see: never ahead of the disk. */
interface Published {
  readonly tip: Tip
  readonly next: NextBlock
  readonly eventTotal: number
}

/** Blocks that are folded in memory and in a batch, but not on disk yet. */
interface Run {
  readonly batch: WriteBatch
  readonly blocks: CheckedBlock[]
  /** The state mark that the batch sets; undefined: the state is not in it. */
  stateMark: StoredStateMark | undefined
}

/** Moves the chain on: memory first, then one batch, then the rest of the node hears of it. Not reentrant. */
export class Applier {
  readonly #parts: ApplierParts
  readonly #head: ChainHead
  readonly #stores: Stores
  readonly #state: StateTries
  readonly #debt: StateDebt
  readonly #rivals: Rivals
  #published: Published
  #run: Run | undefined
  #idle: NodeJS.Timeout | undefined
  /** A write failed: memory is ahead of the disk and can't be trusted. */
  #failed: unknown

  constructor(parts: ApplierParts) {
    this.#parts = parts
    this.#head = parts.head
    this.#state = parts.state
    this.#stores = parts.stores
    this.#debt = new StateDebt(parts.stateWork)
    this.#rivals = new Rivals(parts)
    this.#published = this.#current()
    const { height, eventTotal } = parts.stateMark
    this.#debt.add(this.#published.tip.height - height, this.#published.eventTotal - eventTotal)
  }

  get tip(): Tip {
    return this.#published.tip
  }

  get next(): NextBlock {
    return this.#published.next
  }

  get eventTotal(): number {
    return this.#published.eventTotal
  }

  check(block: CheckedBlock): Failure | undefined {
    return checkLink(this.#head.genesis, this.next, block)
  }

  async apply(blocks: readonly CheckedBlock[]): Promise<ApplyResult> {
    if (this.#failed !== undefined) throw this.#failed
    clearTimeout(this.#idle)
    try {
      return await this.#apply(blocks)
    } finally {
      this.#idle = setTimeout(() => this.#settle(), IDLE_MS).unref()
    }
  }

  /** Hashes in the background, in slices, until the next block comes. */
  #settle(): void {
    if (this.#failed !== undefined) return
    if (this.#state.settle()) this.#parts.onIdle()
    else this.#idle = setTimeout(() => this.#settle(), 0).unref()
  }

  /** Stops what goes on in the background. */
  close(): void {
    clearTimeout(this.#idle)
  }

  /** @throws MolochError WRONG_CHECKPOINT */
  async #keepToCheckpoint({ height, hash }: CheckedBlock): Promise<void> {
    const { checkpoint } = this.#parts
    if (checkpoint?.height !== height || equalBytes(hash, checkpoint.hash)) return
    await this.#write()
    throw new MolochError(
      'WRONG_CHECKPOINT',
      `block ${height} is not the checkpoint's: expected ${toHex(checkpoint.hash)}, but the validators certified ${toHex(hash)}; ` +
        'nothing from there on is written'
    )
  }

  async #apply(blocks: readonly CheckedBlock[]): Promise<ApplyResult> {
    let applied = 0
    let since = performance.now()
    for (const [index, block] of blocks.entries()) {
      const final = block.height > 0 && block.height <= this.#head.tip.height
      if (final) await this.#write()
      const failure = final ? await this.#rivals.final(block) : this.#head.check(block)
      if (failure !== undefined) {
        await this.#write()
        if (failure.code === 'BAD_PARENT') await this.#rivals.forked(block)
        return { applied, failure: { index, failure } }
      }
      if (final) continue
      await this.#keepToCheckpoint(block)
      await this.#stage(block)
      applied++
      if ((this.#run?.batch.bytes ?? 0) >= MAX_BATCH_BYTES) await this.#write()
      else if (performance.now() - since > SLICE_MS) await nextTurn()
      else continue
      since = performance.now()
    }
    await this.#write()
    return { applied }
  }

  /** As `apply` does, of a certified header of a height up to the next: whether it is of another chain. */
  compareHeader(header: CheckedHeader): Promise<void> {
    return this.#rivals.header(header)
  }

  async #stage(block: CheckedBlock): Promise<void> {
    if (block.checked !== 'finalized') throw new TypeError(`block ${block.height} has no commit: it can't be applied`)
    const { database, blocks, headers, mmr, eventRows, eventIndex } = this.#stores
    const { height, hash, eventIds, keyHashes } = block
    const parents = await this.#advance(block)
    this.#run ??= { batch: database.batch(), blocks: [], stateMark: undefined }
    const { batch } = this.#run
    mmr.put(batch, height, hash, parents)
    const parts = { block: block.blockBytes, commit: block.commitBytes }
    blocks.put(batch, height, hash, joinFinalized(parts.block, parts.commit))
    const trusted = trustedHeader(parts, this.#head.tip.mmrRoot)
    if (hasRow(trusted, parts)) headers.put(batch, height, trusted)
    eventRows.put(batch, { height, timestamp: block.header.timestamp, ids: eventIds }, keyHashes)
    eventIndex.add(batch, height, eventIds)
    this.#run.blocks.push(block)
    this.#debt.add(1, eventIds.byteLength / HASH_BYTES)
    const atSnapshot = carriesState(this.#head.genesis.params, height + 1)
    if (this.#debt.isDue(atSnapshot, this.#state.changed)) await this.#putState(this.#run, height)
  }

  /** Memory: a read that fails on the way leaves it between two blocks, and nothing may follow. */
  async #advance(block: CheckedBlock): Promise<Uint8Array[]> {
    try {
      await this.#state.fold(block)
      const { genesis } = this.#head
      const root = this.#head.needsRoot(block.height) ? await this.#state.root(genesis.validators.hash) : undefined
      return this.#head.advance(block, root)
    } catch (error) {
      this.#failed = error
      throw error
    }
  }

  async #putState(run: Run, height: number): Promise<void> {
    try {
      await this.#state.flush(run.batch)
    } catch (error) {
      this.#failed = error
      throw error
    }
    run.stateMark = { height, eventTotal: this.#state.eventTotal }
    this.#stores.meta.setStateMark(run.batch, run.stateMark)
    this.#debt.paid()
  }

  /** Writes the run, publishes it, and tells of it. */
  async #write(): Promise<void> {
    const run = this.#run
    if (run === undefined) return
    this.#run = undefined
    const { database, meta, mempool, eventIndex } = this.#stores
    const current = this.#current()
    meta.setTip(run.batch, current.tip)
    // In the same turn as the write is queued: an event that is saved later finds its block in the window.
    for (const block of run.blocks) mempool.remove(run.batch, block.eventIds)
    try {
      await database.write(run.batch)
    } catch (error) {
      this.#failed = error
      throw error
    }
    eventIndex.written()
    if (run.stateMark !== undefined) this.#state.written()
    this.#published = current
    await this.#parts.onWritten(run.blocks)
  }

  #current(): Published {
    return { tip: this.#head.tip, next: this.#head.next, eventTotal: this.#state.eventTotal }
  }
}
