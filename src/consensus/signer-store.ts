/** Where the signer's log lies: a LevelDB of its own, whose lock keeps a second process out. */
import { mkdir } from 'node:fs/promises'
import { ClassicLevel } from 'classic-level'
import { MolochError, messageOf } from '../error.ts'
import { systemHelp, tellsOfDamage } from '../store/errors.ts'

export type SignerWrite =
  | { readonly type: 'put'; readonly key: string; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: string }

/** What the signer needs of a disk. */
export interface SignerStore {
  entries(): Promise<[key: string, value: Uint8Array][]>
  /** All or nothing, and on the disk (fsync) when it resolves. */
  write(writes: readonly SignerWrite[]): Promise<void>
  close(): Promise<void>
}

/** @throws MolochError SIGNER_LOCKED | SIGNER_CORRUPT | SIGNER_BROKEN */
export async function openSignerStore(path: string): Promise<SignerStore> {
  // Nobody else's business: what it holds says what may be signed next.
  await mkdir(path, { recursive: true, mode: 0o700 }).catch((error) => {
    throw unreadable(path, messageOf(error), 'see to the rights of the folder, and to the disk')
  })
  const database = new ClassicLevel<string, Uint8Array>(path, { keyEncoding: 'utf8', valueEncoding: 'view' })
  try {
    await database.open()
  } catch (error) {
    throw openError(path, error)
  }
  return {
    // Buffers by another name: their slices are views, and others would take them for copies.
    entries: async () => {
      try {
        return (await database.iterator().all()).map(([key, value]) => [key, new Uint8Array(value)])
      } catch (error) {
        throw openError(path, error)
      }
    },
    write: (writes) => database.batch([...writes], { sync: true }),
    close: () => database.close()
  }
}

function openError(path: string, error: unknown): MolochError {
  const cause = error instanceof Error ? error.cause : undefined
  if (cause instanceof Error && 'code' in cause && cause.code === 'LEVEL_LOCKED') {
    return new MolochError('SIGNER_LOCKED', `another process signs with ${path}: stop it, or use another home`, {
      path
    })
  }
  const reason = messageOf(cause ?? error)
  return tellsOfDamage(cause ?? error) ? corrupt(path, reason) : unreadable(path, reason, systemHelp(reason))
}

/** The machine's fault: the log may be sound, and whoever put it aside would forget what was signed. */
function unreadable(path: string, reason: string, help: string): MolochError {
  const message = `can't read the signer's log ${path} (${reason}): ${help}, and start again; nothing is known to be wrong with it`
  return new MolochError('SIGNER_BROKEN', message, { path })
}

export function corrupt(path: string, reason: string): MolochError {
  const remedy = 'see to the disk, then: moloch signer reset'
  return new MolochError('SIGNER_CORRUPT', `the signer's log ${path} is damaged: ${reason}; ${remedy}`, { path })
}
