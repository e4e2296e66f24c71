/**
 * Results of headers on their way from a worker, as with blocks: hashes in one buffer that is transferred, and words
 * only about headers that have a fault. Whoever asked knows where each frame ends.
 */
import { type HeaderCheck, markCheckedHeader } from '../chain/check-header.ts'
import type { Failure } from '../chain/failures.ts'
import { readTrustedHeader } from '../codec/read-trusted-header.ts'

export interface PackedHeaders {
  /** The frames as they were sent, given back: every byte string of a header is a view of it. */
  readonly frames: ArrayBuffer
  /** 32 bytes a frame; zeros for one that failed. */
  readonly hashes: ArrayBuffer
  readonly faults: readonly PackedFault[]
}

interface PackedFault {
  /** Of the frame. */
  readonly index: number
  readonly failure: Failure
  /** The header is well-formed, and has this fault of a later stage. */
  readonly deferred: boolean
}

const HASH = 32

export function packHeaders(frames: ArrayBuffer, results: readonly HeaderCheck[]): PackedHeaders {
  const hashes = new Uint8Array(HASH * results.length)
  const faults: PackedFault[] = []
  results.forEach((result, index) => {
    if (result.ok) hashes.set(result.header.hash, HASH * index)
    const failure = result.ok ? result.header.deferred : result.failure
    if (failure !== undefined) faults.push({ index, failure, deferred: result.ok })
  })
  return { frames, hashes: hashes.buffer, faults }
}

/** The inverse. It trusts what it is given: only a worker's answer to this thread's own question. */
export function unpackHeaders({ frames, hashes, faults }: PackedHeaders, ends: readonly number[]): HeaderCheck[] {
  const byIndex = new Map(faults.map((fault) => [fault.index, fault]))
  return ends.map((end, index): HeaderCheck => {
    const fault = byIndex.get(index)
    if (fault?.deferred === false) return { ok: false, failure: fault.failure }
    const start = index === 0 ? 0 : (ends[index - 1] as number)
    const bytes = new Uint8Array(frames, start, end - start)
    // It is canonical, or the header would have failed.
    const { header, seal, commit, mmrRoot } = readTrustedHeader(bytes)
    const hash = new Uint8Array(hashes, HASH * index, HASH)
    const data = { height: header.height, hash, header, seal, commit, claimedRoot: mmrRoot, bytes }
    return { ok: true, header: markCheckedHeader(fault === undefined ? data : { ...data, deferred: fault.failure }) }
  })
}
