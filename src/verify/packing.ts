/**
 * Results on their way from a worker: a block as offsets into two buffers that are transferred, not as an object graph
 * that is cloned. Rebuilding a block here costs the main loop about 10 µs, cloning one with all its views several times
 * that.
 */
import type { BlockData, CheckResult, ProposedBlock } from '../chain/check-block.ts'
import { markChecked } from '../chain/check-block.ts'
import type { Failure } from '../chain/failures.ts'
import { Commit, Header } from '../codec/generated/chain.ts'
import { headerOf } from '../codec/raw.ts'

export interface PackedChecks {
  /** The frames as they were sent, given back: block and commit bytes are views of it. */
  readonly frames: ArrayBuffer
  /** For each block: hash ‖ event ids ‖ key hashes. */
  readonly hashes: ArrayBuffer
  readonly rows: readonly PackedRow[]
}

export type PackedRow =
  | { readonly failure: Failure }
  | {
      readonly checked: BlockData['checked']
      /** Start and length in `frames`. */
      readonly block: readonly [number, number]
      /** Start and length in `frames`; length 0 for a proposal. */
      readonly commit: readonly [number, number]
      /** The block has this many events' hashes in `hashes`. */
      readonly events: number
      readonly deferred: Failure | undefined
      readonly eventTimestamps: readonly number[] | undefined
    }

const HASH = 32
const KEY_HASHES = 96

/** @param results of blocks whose bytes are views of `frames` */
export function packChecks(frames: ArrayBuffer, results: readonly CheckResult[]): PackedChecks {
  let length = 0
  for (const result of results) {
    if (result.ok) length += HASH + result.block.eventIds.byteLength + result.block.keyHashes.byteLength
  }
  const hashes = new Uint8Array(length)
  let at = 0
  const rows = results.map((result): PackedRow => {
    if (!result.ok) return { failure: result.failure }
    const { block } = result
    for (const part of [block.hash, block.eventIds, block.keyHashes]) {
      hashes.set(part, at)
      at += part.byteLength
    }
    return {
      checked: block.checked,
      block: [offsetIn(frames, block.blockBytes), block.blockBytes.byteLength],
      commit: [block.checked === 'proposal' ? 0 : offsetIn(frames, block.commitBytes), block.commitBytes.byteLength],
      events: block.eventIds.byteLength / HASH,
      deferred: block.deferred,
      eventTimestamps: block.checked === 'proposal' ? (block as ProposedBlock).eventTimestamps : undefined
    }
  })
  return { frames, hashes: hashes.buffer, rows }
}

function offsetIn(frames: ArrayBuffer, view: Uint8Array): number {
  if (view.buffer !== frames) throw new Error('a checked block is not a view of its frame')
  return view.byteOffset
}

/** The inverse. It trusts what it is given: only a worker's answer to this thread's own question. */
export function unpackChecks({ frames, hashes, rows }: PackedChecks): CheckResult[] {
  let at = 0
  const take = (length: number): Uint8Array<ArrayBuffer> => {
    at += length
    return new Uint8Array(hashes, at - length, length)
  }
  return rows.map((row): CheckResult => {
    if ('failure' in row) return { ok: false, failure: row.failure }
    const blockBytes = new Uint8Array(frames, row.block[0], row.block[1])
    const commitBytes = new Uint8Array(frames, row.commit[0], row.commit[1])
    const header = Header.decode(headerOf(blockBytes))
    const data: BlockData = {
      checked: row.checked,
      height: header.height,
      hash: take(HASH),
      header,
      blockBytes,
      commitBytes,
      commit: row.checked === 'finalized' ? Commit.decode(commitBytes) : undefined,
      eventIds: take(HASH * row.events),
      keyHashes: take(KEY_HASHES * row.events),
      ...(row.deferred === undefined ? {} : { deferred: row.deferred }),
      ...(row.eventTimestamps === undefined ? {} : { eventTimestamps: row.eventTimestamps })
    }
    return { ok: true, block: markChecked(data) }
  })
}
