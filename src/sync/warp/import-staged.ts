import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Genesis } from '../../chain/genesis.ts'
import { checkChunk } from '../../chain/snapshot-chunks.ts'
import type { CheckedManifest } from '../../chain/snapshot-manifest.ts'
import { hasCode } from '../../error.ts'
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
    if (!hasCode(error, 'CHUNK_DAMAGED')) throw error
    log.warn({ height: manifest.height }, `the import is made again: ${error.message}`)
    await forgetDamaged(staging, staged)
    return false
  } finally {
    await staging.close()
  }
}

/** All of them at once: found one by one, each would cost an import up to it. */
async function forgetDamaged(staging: Staging, { genesis, manifest, signal, log }: StagedImport): Promise<void> {
  for (const chunk of manifest.chunks.keys()) {
    await nextTurn(undefined, { signal })
    const data = await staging.read(chunk)
    const check = data && checkChunk(genesis, manifest.chunks, chunk, data)
    if (check?.ok) continue
    const why = check?.failure.message ?? 'it is missing'
    log.error({ height: manifest.height }, `chunk ${chunk} of the snapshot is damaged: ${why}; it is fetched again`)
    await staging.forget(chunk)
  }
}
