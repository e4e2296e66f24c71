import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { checkpointText } from '../chain/checkpoint.ts'
import type { Genesis } from '../chain/genesis.ts'
import { type CheckedManifest, readManifest } from '../chain/snapshot-manifest.ts'
import { hasCode, MolochError } from '../error.ts'
import { SnapshotFile } from '../store/snapshot-file.ts'

/** A snapshot in a file, as the commands show it. */
export interface ShownSnapshot {
  readonly height: number
  /** What whoever imports it has to trust: HEIGHT:HASH. */
  readonly checkpoint: string
  /** Unix ms of its block. */
  readonly timestamp: number
  readonly events: number
  readonly chunks: number
  readonly bytes: number
  readonly file: string
}

/** @throws MolochError SNAPSHOT_DAMAGED for a file that is none, or not of this chain; SNAPSHOT_MISSING, STORE_FAILED */
export async function openSnapshot(
  path: string,
  genesis: Genesis
): Promise<{ file: SnapshotFile; manifest: CheckedManifest }> {
  const file = await SnapshotFile.open(path)
  const result = readManifest(genesis, file.manifest)
  if (!result.ok) {
    throw new MolochError('SNAPSHOT_DAMAGED', `${path} is no snapshot of ${genesis.chainId}: ${result.failure.message}`)
  }
  if (result.manifest.chunks.length === file.chunks) return { file, manifest: result.manifest }
  const counts = `it has ${file.chunks} chunks; its manifest says ${result.manifest.chunks.length}`
  throw new MolochError('SNAPSHOT_DAMAGED', `${path}: ${counts}`)
}

export function shown({ file, manifest }: { file: SnapshotFile; manifest: CheckedManifest }): ShownSnapshot {
  const { height, header: trusted, eventTotal } = manifest
  return {
    height,
    checkpoint: checkpointText({ height, hash: trusted.hash }),
    timestamp: trusted.header.timestamp,
    events: eventTotal,
    chunks: file.chunks,
    bytes: file.length,
    file: file.path
  }
}

/** The snapshots in a home's folder, newest first; of one that was removed meanwhile nothing is said. */
export async function listSnapshots(folder: string, genesis: Genesis): Promise<ShownSnapshot[]> {
  const names = await readdir(folder).catch(() => [])
  const found: ShownSnapshot[] = []
  for (const name of names) {
    if (!name.endsWith('.snapshot')) continue
    try {
      found.push(shown(await openSnapshot(join(folder, name), genesis)))
    } catch (error) {
      if (!hasCode(error, 'SNAPSHOT_MISSING')) throw error
    }
  }
  return found.sort((a, b) => b.height - a.height)
}
