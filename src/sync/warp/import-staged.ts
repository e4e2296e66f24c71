import type { Genesis } from '../../chain/genesis.ts'
import type { CheckedManifest } from '../../chain/snapshot-manifest.ts'
import { MolochError } from '../../error.ts'
import { importSnapshot } from '../../ledger/snapshot/import-snapshot.ts'
import type { Log } from '../../log.ts'
import { Staging } from './staging.ts'

export interface StagedImport {
  readonly genesis: Genesis
  readonly manifest: CheckedManifest
  /** Where the chunks are. */
  readonly folder: string
  /** Of the database that the new one is for. */
  readonly path: string
  readonly signal: AbortSignal
  /** Told before the first chunk, and after each how many are imported. */
  readonly onProgress: (chunksDone: number) => void
  readonly log: Log
}

/**
 * Makes the new database of stored chunks.
 * @returns false if some are not here, or are damaged: those are to be fetched
 * @throws the signal's reason; MolochError with a StoreErrorCode
 */
export async function importStaged(staged: StagedImport): Promise<boolean> {
  const { genesis, manifest, folder, path, signal, onProgress, log } = staged
  const staging = await Staging.resume(folder, manifest.chunks.length)
  if (staging === undefined) return false
  try {
    if (manifest.chunks.some((_, chunk) => !staging.has(chunk))) return false
    onProgress(0)
    const readChunk = (chunk: number): Promise<Uint8Array | undefined> => staging.read(chunk)
    await importSnapshot({ genesis, manifest, readChunk, path, signal, onProgress })
    return true
  } catch (error) {
    if (!(error instanceof MolochError && error.code === 'CHUNK_DAMAGED')) throw error
    log.error({ height: manifest.height }, `${error.message}; it is fetched again`)
    await staging.forget(error.details.chunk as number)
    return false
  } finally {
    await staging.close()
  }
}
