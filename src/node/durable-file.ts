import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, linkSync, openSync, unlinkSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'

/**
 * Writes a new file so that it is there whole or not at all, also after a power cut, and never in place of another.
 * @throws the system's EEXIST if `path` exists
 */
export function createFile(path: string, text: string, mode: number): void {
  const directory = dirname(path)
  const staged = join(directory, `.new-${randomBytes(6).toString('hex')}`)
  const file = openSync(staged, 'wx', mode)
  try {
    try {
      writeSync(file, text)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    // A link fails where a rename would overwrite.
    linkSync(staged, path)
  } finally {
    unlinkSync(staged)
  }
  syncDirectory(directory)
}

/** A new name is durable once its directory is. */
export function syncDirectory(path: string): void {
  const directory = openSync(path, 'r')
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}
