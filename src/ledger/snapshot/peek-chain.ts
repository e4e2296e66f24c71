import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Genesis } from '../../chain/genesis.ts'
import { Database } from '../../store/database.ts'
import { MetaStore } from '../../store/meta-store.ts'
import { MmrStore } from '../../store/mmr-store.ts'

/** Height of the chain in a folder that nobody has open; 0 if there is none. @throws MolochError with a StoreErrorCode */
export async function heightOf(path: string, genesis: Genesis): Promise<number> {
  return (await peekChain(path, genesis, 0)).height
}

/**
 * The height of the chain in a folder that nobody has open (0: there is none), and the hash of one of its blocks.
 * @throws MolochError with a StoreErrorCode
 */
export async function peekChain(
  path: string,
  genesis: Genesis,
  at: number
): Promise<{ readonly height: number; readonly hash: Uint8Array | undefined }> {
  if (!existsSync(join(path, 'CURRENT'))) return { height: 0, hash: undefined }
  const database = await Database.open(path, { genesisHash: genesis.hash, create: false })
  try {
    const height = (await new MetaStore(database).tip())?.height ?? 0
    return { height, hash: at > height ? undefined : await new MmrStore(database).blockHash(at) }
  } finally {
    await database.close()
  }
}
