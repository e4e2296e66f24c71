import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { hasCode, MolochError, messageOf } from '../error.ts'
import { homePaths } from './home.ts'

/**
 * One process at a time changes a home, whatever it is at: a node that warps has no chain yet that LevelDB would keep
 * others from. The lock is that of a LevelDB in which there is never a row: Node has none of its own, and this one the kernel
 * gives up when its process ends, however it ends.
 */
export class HomeLock {
  readonly #database: ClassicLevel

  private constructor(database: ClassicLevel) {
    this.#database = database
  }

  /** @throws MolochError HOME_LOCKED; what the system says of a folder that cannot be written */
  static async take(home: string): Promise<HomeLock> {
    const path = homePaths(home).lock
    await mkdir(path, { recursive: true })
    const database = new ClassicLevel(path)
    try {
      await database.open()
    } catch (error) {
      throw openError(home, path, error)
    }
    return new HomeLock(database)
  }

  /** Whether a process has it now. */
  static async isHeld(home: string): Promise<boolean> {
    if (!existsSync(join(homePaths(home).lock, 'CURRENT'))) return false
    try {
      await (await HomeLock.take(home)).release()
      return false
    } catch (error) {
      return hasCode(error, 'HOME_LOCKED')
    }
  }

  /** Idempotent. */
  release(): Promise<void> {
    return this.#database.close()
  }
}

/** Does something that no other process may meanwhile. @throws MolochError HOME_LOCKED, and what the work throws */
export async function withHomeLock<Result>(home: string, work: () => Promise<Result>): Promise<Result> {
  const lock = await HomeLock.take(home)
  try {
    return await work()
  } finally {
    await lock.release()
  }
}

function openError(home: string, path: string, error: unknown): Error {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  if ((cause as { code?: unknown }).code === 'LEVEL_LOCKED') {
    const message = `another process works on the home ${home}: stop that one, or use another home`
    return new MolochError('HOME_LOCKED', message, { home })
  }
  const message = `the lock ${path} cannot be taken: ${messageOf(cause)}; if the folder is damaged, remove it`
  return new MolochError('HOME_LOCK_FAILED', message, { home }, { cause })
}
