import { setImmediate as nextTurn } from 'node:timers/promises'
import { type CheckedBlock, checkLink, type NextBlock } from '../chain/check-block.ts'
import type { CheckedHeader } from '../chain/check-header.ts'
import type { Checkpoint } from '../chain/checkpoint.ts'
import type { Failure } from '../chain/failures.ts'
import { HASH_BYTES } from '../chain/merkle.ts'
import type { MmrNode } from '../chain/mmr.ts'
import { carriesState } from '../chain/state.ts'
import { equalBytes, toHex } from '../codec/bytes.ts'
import { Commit } from '../codec/generated/chain.ts'
import { joinFinalized, splitFinalized } from '../codec/raw.ts'
import { MolochError } from '../error.ts'
import type { WriteBatch } from '../store/batch.ts'
import { corrupt } from '../store/errors.ts'
import type { EvidenceRecord } from '../store/evidence-store.ts'
import type { StoredStateMark } from '../store/meta-store.ts'
import { type Certified, conflictRecord } from './conflict.ts'
import type { ChainHead, Tip } from './head.ts'
import { MAX_CHANGED_BUCKETS, type StateTries } from './state.ts'
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
/**
 * Work after which the state is written at the next snapshot height: an event counts 1, a block 4, about their costs
 * when the ledger opens and folds them again (under a second). Rewriting the touched entries at every snapshot height
 * would cost more than the blocks.
 */
const STATE_WORK = 50_000
const BLOCK_WORK = 4
/** With a long snapshot interval it is written between its heights too, or opening would take as long as syncing. */
const MAX_STATE_DEBT = 4
/**
 * A chain that grows at its own pace comes by a snapshot height every minute or so. There the state is written even if
 * little changed, for a snapshot can only be built of what is written.
 */
const FRESH_STATE_MS = 20_000
/** After so long without a block the tries are hashed, so that the next snapshot height finds nearly nothing to do. */
const IDLE_MS = 40

export interface ApplierParts {
  readonly head: ChainHead
  readonly state: StateTries
  readonly stores: Stores
  readonly stateMark: StoredStateMark
  readonly stateWork?: number | undefined
  /** The chain does not go past its height with another block. */
  readonly checkpoint?: Checkpoint | undefined
  /** No block has come for a moment, and nothing is left to hash. */
  readonly onIdle: () => void
  readonly onWritten: (blocks: readonly CheckedBlock[]) => Promise<void>
  /** Must throw. */
  readonly onConflict: (record: EvidenceRecord) => Promise<never>
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
  readonly #stateWork: number
  #published: Published
  #run: Run | undefined
  #stateDebt: number
  #stateWritten = performance.now()
  #idle: NodeJS.Timeout | undefined
  /** A write failed: memory is ahead of the disk and can't be trusted. */
  #failed: unknown

  constructor(parts: ApplierParts) {
    this.#parts = parts
    this.#head = parts.head
    this.#state = parts.state
    this.#stores = parts.stores
    this.#stateWork = parts.stateWork ?? STATE_WORK
    this.#published = this.#current()
    const { height, eventTotal } = parts.stateMark
    this.#stateDebt = this.#published.eventTotal - eventTotal + BLOCK_WORK * (this.#published.tip.height - height)
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
      const failure = final ? await this.#compare(block) : this.#head.check(block)
      if (failure !== undefined) {
        await this.#write()
        if (failure.code === 'BAD_PARENT') await this.#forked(block)
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
  async compareHeader({ height, hash, header, commit, bytes }: CheckedHeader): Promise<void> {
    const { tip } = this.#head
    const theirs: Certified = { commit, parentHash: header.parentHash, bytes }
    if (height === tip.height + 1 && tip.height > 0 && !equalBytes(header.parentHash, tip.hash)) {
      await this.#conflict(tip.height, theirs)
    }
    if (height > 0 && height <= tip.height && !equalBytes(await this.#hashAt(height), hash)) {
      await this.#conflict(height, theirs)
    }
  }

  /** A block at a final height: the one that is stored, or proof that finality is broken. */
  async #compare(block: CheckedBlock): Promise<Failure | undefined> {
    if (equalBytes(await this.#hashAt(block.height), block.hash)) return undefined
    // Without a commit that verifies it is only a bad block.
    if (block.deferred !== undefined) return block.deferred
    return this.#conflict(block.height, certifiedBlock(block))
  }

  async #hashAt(height: number): Promise<Uint8Array> {
    const { mmr, database } = this.#stores
    const hash = await mmr.blockHash(height)
    if (hash === undefined) throw corrupt(database.path, `the MMR's leaf ${height} is missing`)
    return hash
  }

  /**
   * The next block, on another parent. If it is certified, no peer is at fault: whoever signed it has decided another
   * block at our tip's height. (Block 0 nobody signed: of that there is nothing to hold against ours.)
   */
  async #forked(block: CheckedBlock): Promise<void> {
    const { height } = this.#head.tip
    if (block.deferred === undefined && height > 0) await this.#conflict(height, certifiedBlock(block))
  }

  async #conflict(height: number, theirs: Certified): Promise<never> {
    // Of history that is not held the first block that is vouches for it: it was proven under that one's root.
    const held = Math.max(height, await this.#stores.meta.earliest())
    const ours = await this.#stores.blocks.get(held)
    if (ours === undefined) throw corrupt(this.#stores.database.path, `block ${held} is missing`)
    const kept = { commit: Commit.decode(splitFinalized(ours).commit), bytes: ours }
    return this.#parts.onConflict(conflictRecord(this.#head.genesis, kept, theirs))
  }

  async #stage(block: CheckedBlock): Promise<void> {
    if (block.checked !== 'finalized') throw new TypeError(`block ${block.height} has no commit: it can't be applied`)
    const { database, blocks, headers, mmr, eventRows, eventIndex } = this.#stores
    const { height, hash, eventIds, keyHashes } = block
    const nodes = await this.#advance(block)
    this.#run ??= { batch: database.batch(), blocks: [], stateMark: undefined }
    const { batch } = this.#run
    mmr.put(batch, height, hash, nodes)
    const parts = { block: block.blockBytes, commit: block.commitBytes }
    blocks.put(batch, height, hash, joinFinalized(parts.block, parts.commit))
    const trusted = trustedHeader(parts, this.#head.tip.mmrRoot)
    if (hasRow(trusted, parts)) headers.put(batch, height, trusted)
    eventRows.put(batch, { height, timestamp: block.header.timestamp, ids: eventIds }, keyHashes)
    eventIndex.add(batch, height, eventIds)
    this.#run.blocks.push(block)
    this.#stateDebt += eventIds.byteLength / HASH_BYTES + BLOCK_WORK
    if (this.#stateIsDue(height)) await this.#putState(this.#run, height)
  }

  /** Memory: a read that fails on the way leaves it between two blocks, and nothing may follow. */
  async #advance(block: CheckedBlock): Promise<MmrNode[]> {
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

  #stateIsDue(height: number): boolean {
    const atSnapshot = carriesState(this.#head.genesis.params, height + 1)
    const { changed } = this.#state
    if (atSnapshot && changed > 0 && performance.now() - this.#stateWritten > FRESH_STATE_MS) return true
    return changed > MAX_CHANGED_BUCKETS || this.#stateDebt >= (atSnapshot ? 1 : MAX_STATE_DEBT) * this.#stateWork
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
    this.#stateDebt = 0
    this.#stateWritten = performance.now()
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

function certifiedBlock({ height, header, commit, blockBytes, commitBytes }: CheckedBlock): Certified {
  if (commit === undefined) throw new TypeError(`block ${height} has no commit: it proves nothing`)
  return { commit, parentHash: header.parentHash, bytes: joinFinalized(blockBytes, commitBytes) }
}
