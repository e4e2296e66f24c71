import { concatBytes, equalBytes, toHex } from '../codec/bytes.ts'
import { TrustedHeader } from '../codec/generated/chain.ts'
import { type IndexTop, Manifest } from '../codec/generated/snapshot.ts'
import { MANIFEST } from '../codec/rules.ts'
import { type CheckedHeader, checkHeader } from './check-header.ts'
import { canonicalFailure } from './checked-block.ts'
import { manifestId, stateRootHash } from './domain.ts'
import type { Genesis } from './genesis.ts'
import { type FoldedTop, foldTop, type TopItem } from './index-top.ts'
import { HASH_BYTES, leafHash } from './merkle.ts'
import { verifyInclusion } from './merkle-proof.ts'
import { Mmr } from './mmr.ts'
import { type ChunkPlan, HASHES_A_CHUNK } from './snapshot-chunks.ts'
import { type ManifestFailureCode, type SnapshotFailure, snapshotFailure } from './snapshot-failures.ts'
import { carriesState, STATE_INDEXES, type StateIndex } from './state.ts'

/**
 * A peer may not make us hold and hash more. A manifest has some 40 bytes for each chunk of entries and 32 for each 4096
 * blocks: this is enough for 10⁷ keys after 10⁷ blocks, and it has to fit a frame.
 */
export const MAX_MANIFEST_BYTES = 1_000_000

export interface Checkpoint {
  readonly height: number
  readonly hash: Uint8Array
}

declare const checked: unique symbol

/** A manifest in which every field was found to follow from its header. Byte strings are views of `bytes`. */
export interface CheckedManifest {
  readonly [checked]: true
  /** H. */
  readonly height: number
  readonly header: CheckedHeader
  /** In blocks 1 … H−1. */
  readonly eventTotal: number
  /** Names the snapshot: the same at every server that has it. */
  readonly id: Uint8Array
  /** The range over blocks 0 … H−1. */
  readonly mmr: Mmr
  readonly tops: readonly [readonly TopItem[], readonly TopItem[], readonly TopItem[]]
  /** By index. */
  readonly indexRoots: readonly [Uint8Array, Uint8Array, Uint8Array]
  /** Block hashes, then the entries of each index, then block H. */
  readonly chunks: readonly ChunkPlan[]
  /** Hashes in the path that proves a checkpoint; not part of the id. */
  readonly checkpointPath: readonly Uint8Array[]
  /** The encoded Manifest. */
  readonly bytes: Uint8Array
}

export type ManifestCheck =
  | { readonly ok: true; readonly manifest: CheckedManifest }
  | { readonly ok: false; readonly failure: SnapshotFailure<ManifestFailureCode> }

/**
 * Whether a manifest is of a snapshot under the checkpoint: at its height, of that block; or above it, in a chain that
 * goes through it. All that a snapshot will bring is fixed then: each chunk is checked against it. Work: a quorum of
 * signatures, and a hash for every 4 bytes at most.
 */
export function checkManifest(genesis: Genesis, bytes: Uint8Array, checkpoint: Checkpoint): ManifestCheck {
  const decoded = decodeManifest(genesis, bytes)
  if (!decoded.ok) return decoded
  const { header, wire } = decoded
  // Commit and seal are not under the hash: they are wrong even of the right block.
  const { deferred } = header
  if (deferred !== undefined) return fault('MANIFEST_HEADER', `${deferred.code}: ${deferred.message}`)
  const failure = checkpointFailure(header, wire, checkpoint)
  return failure === undefined ? openManifest(genesis, bytes, header, wire) : { ok: false, failure }
}

/** A manifest of our own, or of a file: all but the signatures in it, and no checkpoint. */
export function readManifest(genesis: Genesis, bytes: Uint8Array): ManifestCheck {
  const decoded = decodeManifest(genesis, bytes)
  return decoded.ok ? openManifest(genesis, bytes, decoded.header, decoded.wire) : decoded
}

type Decoded =
  | { readonly ok: true; readonly header: CheckedHeader; readonly wire: Manifest }
  | { readonly ok: false; readonly failure: SnapshotFailure<ManifestFailureCode> }

function decodeManifest(genesis: Genesis, bytes: Uint8Array): Decoded {
  if (bytes.byteLength > MAX_MANIFEST_BYTES) {
    return fault('MANIFEST_TOO_LARGE', `manifest is ${bytes.byteLength} bytes; accepted: at most ${MAX_MANIFEST_BYTES}`)
  }
  const malformed = canonicalFailure(MANIFEST, bytes)
  if (malformed !== undefined) return fault('MANIFEST_NON_CANONICAL', malformed.message)
  const wire = Manifest.decode(bytes)
  const result = checkHeader(genesis, TrustedHeader.encode(wire.trusted as TrustedHeader))
  if (!result.ok) return fault('MANIFEST_HEADER', `${result.failure.code}: ${result.failure.message}`)
  const { header } = result
  if (header.height > 0 && carriesState(genesis.params, header.height)) return { ok: true, header, wire }
  const accepted = `accepted: multiples of ${genesis.params.snapshotInterval}`
  return fault('MANIFEST_HEIGHT', `the snapshot's height is ${header.height}; ${accepted}`)
}

function checkpointFailure(
  { height, hash, header }: CheckedHeader,
  { checkpointPath }: Manifest,
  checkpoint: Checkpoint
): SnapshotFailure<ManifestFailureCode> | undefined {
  const named = `checkpoint ${checkpoint.height} ${toHex(checkpoint.hash)}`
  if (height < checkpoint.height)
    return snapshotFailure('CHECKPOINT_ABOVE', `the snapshot's height is ${height}; ${named}`)
  const path = hashList(checkpointPath)
  if (height === checkpoint.height) {
    if (!equalBytes(hash, checkpoint.hash))
      return snapshotFailure('CHECKPOINT_HASH', `its block is ${toHex(hash)}; ${named}`)
    return checkpointPath.byteLength === 0
      ? undefined
      : snapshotFailure('CHECKPOINT_PATH', `a path to itself; ${named}`)
  }
  const claim = { leafHash: leafHash(checkpoint.hash), index: checkpoint.height, size: height, root: header.mmrRoot }
  if (path !== undefined && verifyInclusion({ ...claim, path })) return undefined
  return snapshotFailure('CHECKPOINT_PATH', `the chain of block ${height} is not proven to go through ${named}`)
}

function openManifest(genesis: Genesis, bytes: Uint8Array, header: CheckedHeader, wire: Manifest): ManifestCheck {
  const { height } = header
  const roots = hashList(wire.mmrSubtreeRoots)
  const tail = hashList(wire.mmrTailPeaks)
  const mmr = roots && tail && rangeOf(height, roots, tail)
  if (mmr === undefined) return fault('MANIFEST_MMR_COUNT', `not the subtree roots and peaks of ${height} block hashes`)
  const root = mmr.root()
  if (!equalBytes(root, header.header.mmrRoot)) {
    return fault(
      'MANIFEST_MMR_ROOT',
      `block hashes have root ${toHex(root)}; header's: ${toHex(header.header.mmrRoot)}`
    )
  }
  const after = mmr.clone()
  after.append(leafHash(header.hash))
  if (!equalBytes(after.root(), header.claimedRoot)) {
    return fault('MANIFEST_ROOT_AFTER', `the root after block ${height} is ${toHex(after.root())}`)
  }
  const tops = [itemsOf(wire.actors), itemsOf(wire.resources), itemsOf(wire.actions)] as const
  const folded: FoldedTop[] = []
  for (const items of tops) {
    const top = foldTop(items)
    if ('code' in top) return { ok: false, failure: top }
    folded.push(top)
  }
  const [actors, resources, actions] = folded as [FoldedTop, FoldedTop, FoldedTop]
  const { eventTotal } = wire
  const stateRoot = stateRootHash(eventTotal, header.header.validatorsHash, actors.root, resources.root, actions.root)
  if (!equalBytes(stateRoot, header.header.stateRoot)) {
    return fault(
      'MANIFEST_STATE_ROOT',
      `index tops fold to ${toHex(stateRoot)}; header's: ${toHex(header.header.stateRoot)}`
    )
  }
  const manifest = {
    height,
    header,
    eventTotal,
    id: manifestId(genesis.hash, header.hash, bodyOf(wire)),
    mmr,
    tops,
    indexRoots: [actors.root, resources.root, actions.root] as const,
    chunks: chunksOf(header, roots as Uint8Array[], tail as Uint8Array[], folded),
    checkpointPath: hashList(wire.checkpointPath) ?? [],
    bytes
  }
  return { ok: true, manifest: manifest as Omit<CheckedManifest, typeof checked> as CheckedManifest }
}

/** The range over `count` hashes from the roots of its full chunks and the peaks of the rest; undefined: not so many. */
function rangeOf(count: number, roots: readonly Uint8Array[], tail: readonly Uint8Array[]): Mmr | undefined {
  if (roots.length !== Math.floor(count / HASHES_A_CHUNK)) return undefined
  // A range of roots has the peaks that one of 4096 times as many leaves has.
  const full = new Mmr()
  for (const root of roots) full.append(root)
  try {
    return Mmr.from(count, [...full.peaks, ...tail])
  } catch {
    return undefined
  }
}

function chunksOf(
  { height, hash }: CheckedHeader,
  roots: readonly Uint8Array[],
  tail: readonly Uint8Array[],
  tops: readonly FoldedTop[]
): ChunkPlan[] {
  const chunks: ChunkPlan[] = roots.map((root, i) => ({
    kind: 'hashes',
    start: i * HASHES_A_CHUNK,
    count: HASHES_A_CHUNK,
    peaks: [root]
  }))
  const start = roots.length * HASHES_A_CHUNK
  if (start < height) chunks.push({ kind: 'hashes', start, count: height - start, peaks: tail })
  for (const index of STATE_INDEXES) {
    for (const place of (tops[index] as FoldedTop).chunks) chunks.push({ kind: 'entries', index, ...place })
  }
  chunks.push({ kind: 'block', height, hash })
  return chunks
}

export interface ManifestParts {
  /** The encoded TrustedHeader of block H. */
  readonly trusted: Uint8Array
  readonly eventTotal: number
  readonly subtreeRoots: readonly Uint8Array[]
  readonly tailPeaks: readonly Uint8Array[]
  readonly tops: Readonly<Record<StateIndex, readonly TopItem[]>>
}

export function encodeManifest({ trusted, eventTotal, subtreeRoots, tailPeaks, tops }: ManifestParts): Uint8Array {
  return Manifest.encode({
    trusted: TrustedHeader.decode(trusted),
    eventTotal,
    mmrSubtreeRoots: concatBytes(...subtreeRoots),
    mmrTailPeaks: concatBytes(...tailPeaks),
    actors: { items: [...tops[0]] },
    resources: { items: [...tops[1]] },
    actions: { items: [...tops[2]] },
    checkpointPath: new Uint8Array(0)
  })
}

/** The same manifest for somebody who trusts another block below it. */
export function withCheckpointPath(bytes: Uint8Array, path: readonly Uint8Array[]): Uint8Array {
  return Manifest.encode({ ...Manifest.decode(bytes), checkpointPath: concatBytes(...path) })
}

/** What the id is over, besides the block hash: the header is under that, and seal, commit and path are not the snapshot. */
function bodyOf(wire: Manifest): Uint8Array {
  const { trusted: _, ...rest } = wire
  return Manifest.encode({ ...rest, checkpointPath: new Uint8Array(0) })
}

function itemsOf(top: IndexTop | undefined): readonly TopItem[] {
  return top?.items ?? []
}

function hashList(bytes: Uint8Array): Uint8Array[] | undefined {
  if (bytes.byteLength % HASH_BYTES !== 0) return undefined
  return Array.from({ length: bytes.byteLength / HASH_BYTES }, (_, i) =>
    bytes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES)
  )
}

function fault(
  code: ManifestFailureCode,
  message: string
): { ok: false; failure: SnapshotFailure<ManifestFailureCode> } {
  return { ok: false, failure: snapshotFailure(code, message) }
}
