/**
 * A folder in which LevelDB can open a database that is not to be written to, or cannot be: its tables are links to those
 * of the database, and what LevelDB writes to or removes is a copy.
 */
import { copyFile, mkdtemp, readdir, realpath, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What says which tables there are, and the journal of rows that are in none yet. */
const COPIED = /^(CURRENT|MANIFEST-\d+|\d+\.log)$/
const LINKED = /^\d+\.(ldb|sst)$/

export class Overlay {
  readonly path: string

  private constructor(path: string) {
    this.path = path
  }

  /** @param database folder of a LevelDB @throws what the system says of a file that cannot be read or copied */
  static async over(database: string): Promise<Overlay> {
    const from = await realpath(database)
    const overlay = new Overlay(await mkdtemp(join(tmpdir(), 'moloch-read-only-')))
    try {
      for (const name of await readdir(from)) {
        if (LINKED.test(name)) await symlink(join(from, name), join(overlay.path, name))
        else if (COPIED.test(name)) await copyFile(join(from, name), join(overlay.path, name))
      }
      return overlay
    } catch (error) {
      await overlay.remove()
      throw error
    }
  }

  /** Links go, and not what they lead to. */
  remove(): Promise<void> {
    return rm(this.path, { recursive: true, force: true })
  }
}
