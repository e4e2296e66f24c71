import { HASH_BYTES } from '../../chain/domain.ts'
import { MAX_MANIFEST_BYTES } from '../../chain/snapshot-manifest.ts'
import { equalBytes } from '../../codec/bytes.ts'
import { GetSnapshot, RawSnapshot } from '../../codec/generated/snapshot.ts'
import { networkError } from '../errors.ts'
import type { ChunkWanted, ManifestWanted, SnapshotPorts } from '../snapshot-ports.ts'
import type { Frame } from './frames.ts'
import { assertBytes, assertHeight, decoded, type Wire } from './messages.ts'
import { REFUSABLE, throwIfRefused } from './refusal.ts'
import type { Handler } from './server.ts'

/** Numbers, and the fields around manifest or data. */
const ROOM_BYTES = 64

const NOTHING = new Uint8Array(0)

export const GET_SNAPSHOT: Wire<GetSnapshot> = {
  name: 'get snapshot',
  codec: GetSnapshot,
  shape: { 1: 'u64', 2: 'u64', 3: 'bytes', 4: 'u32', 5: 'u32' }
}
export const SNAPSHOT: Wire<RawSnapshot> = {
  name: 'snapshot',
  codec: RawSnapshot,
  shape: { 1: 'bytes', 2: 'u32', 3: 'u32', 4: 'bytes', ...REFUSABLE }
}

/** Against frames that are made as long as a block's may be. */
export const MAX_MANIFEST_FRAME_BYTES = MAX_MANIFEST_BYTES + ROOM_BYTES

/** @param maxChunkBytes that a chunk of this chain can have (snapshot-chunks.ts) */
export function chunkFrameBytes(maxChunkBytes: number): number {
  return maxChunkBytes + ROOM_BYTES
}

export function makeGetManifest({ height, checkpointHeight }: ManifestWanted): Uint8Array {
  return GetSnapshot.encode({ height, checkpointHeight, manifestId: NOTHING, firstChunk: 0, count: 0 })
}

export function makeGetChunk({ height, manifestId, chunk }: ChunkWanted): Uint8Array {
  const id = manifestId as Frame
  return GetSnapshot.encode({ height, checkpointHeight: 0, manifestId: id, firstChunk: chunk, count: 1 })
}

/**
 * Answers GetSnapshot with a manifest, or with chunks a frame each, as fast as the peer takes them and no faster. After
 * all chunks of a snapshot comes its manifest again.
 */
export function serveSnapshot(ports: SnapshotPorts): Handler {
  return async function* (frame) {
    const request = decoded(GET_SNAPSHOT, frame)
    const { height, checkpointHeight, manifestId, firstChunk, count } = request
    assertHeight('height', height)
    assertHeight('checkpoint height', checkpointHeight)
    const held = ports.held(height)
    if (held === undefined) throw networkError('UNAVAILABLE', notHeld(ports, height))
    const { manifest } = held
    const chunks = manifest.chunks.length
    if (manifestId.byteLength === 0) {
      yield await manifestFrame(ports, manifest.height, checkpointHeight, chunks)
      return
    }
    assertBytes('manifest id', manifestId, HASH_BYTES)
    if (!equalBytes(manifestId, manifest.id)) throw networkError('UNAVAILABLE', notHeld(ports, height))
    if (count < 1 || firstChunk + count > chunks) {
      const accepted = `at least one of chunks 0 … ${chunks - 1}`
      throw networkError('BAD_REQUEST', `${count} chunks from ${firstChunk}; accepted: ${accepted}`)
    }
    for (let chunk = firstChunk; chunk < firstChunk + count; chunk++) {
      const data = await ports.readChunk(manifest.height, chunk)
      if (data === undefined) throw networkError('UNAVAILABLE', notHeld(ports, height))
      yield RawSnapshot.encode({ manifest: NOTHING, chunk, chunks, data: data as Frame })
    }
    if (count === chunks) yield await manifestFrame(ports, manifest.height, checkpointHeight, chunks)
  }
}

async function manifestFrame(
  ports: SnapshotPorts,
  height: number,
  checkpointHeight: number,
  chunks: number
): Promise<Uint8Array> {
  const manifest = await ports.readManifest(height, checkpointHeight)
  if (manifest !== undefined) {
    return RawSnapshot.encode({ manifest: manifest as Frame, chunk: 0, chunks, data: NOTHING })
  }
  throw networkError('UNAVAILABLE', `no snapshot at or above checkpoint ${checkpointHeight}: ${newest(ports)}`)
}

function notHeld(ports: SnapshotPorts, height: number): string {
  return height === 0 ? 'this node has no snapshot yet' : `not that snapshot at block ${height}: ${newest(ports)}`
}

function newest(ports: SnapshotPorts): string {
  const held = ports.held(0)
  return held === undefined ? 'this node has none' : `the newest here is of block ${held.manifest.height}`
}

/**
 * The encoded Manifest of an answer, not looked at.
 * @throws MolochError BAD_FRAME | TOO_MUCH | UNAVAILABLE, or the refusal's code
 */
export async function readManifest(frames: AsyncIterable<Frame>, peer: string): Promise<Uint8Array> {
  const { manifest, data } = await readOne(frames, 'manifest', peer)
  if (manifest.byteLength > 0 && data.byteLength === 0) return manifest
  throw networkError('BAD_FRAME', 'asked for a manifest, the answer has none', { peer })
}

/**
 * The data of the chunk that was asked for, not checked.
 * @throws MolochError BAD_FRAME | TOO_MUCH | UNAVAILABLE, or the refusal's code
 */
export async function readChunk(
  frames: AsyncIterable<Frame>,
  { chunk, chunks }: ChunkWanted,
  peer: string
): Promise<Uint8Array> {
  const answer = await readOne(frames, `chunk ${chunk}`, peer)
  if (answer.manifest.byteLength === 0 && answer.chunk === chunk && answer.chunks === chunks) return answer.data
  const got = answer.manifest.byteLength > 0 ? 'a manifest' : `chunk ${answer.chunk} of ${answer.chunks}`
  throw networkError('BAD_FRAME', `asked for chunk ${chunk} of ${chunks}, answered with ${got}`, { peer })
}

async function readOne(frames: AsyncIterable<Frame>, what: string, peer: string): Promise<RawSnapshot> {
  let only: RawSnapshot | undefined
  for await (const frame of frames) {
    // Against answers that never end.
    if (only !== undefined) throw networkError('TOO_MUCH', `more than the ${what} asked for`, { peer })
    only = decoded(SNAPSHOT, frame)
    throwIfRefused(only.refusal, what, peer)
  }
  if (only === undefined) throw networkError('UNAVAILABLE', `an answer without ${what}`, { peer })
  return only
}

/** @throws MolochError BAD_REQUEST */
export function assertChunkWanted({ height, manifestId, chunk, chunks }: ChunkWanted): void {
  assertHeight('height', height)
  const inside = Number.isInteger(chunk) && chunk >= 0 && chunk < chunks
  if (inside && manifestId.byteLength === HASH_BYTES) return
  throw networkError('BAD_REQUEST', `chunk ${chunk} of ${chunks}; accepted: 0 … ${chunks - 1} under a manifest id`)
}
