import { open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Renames a folder; durable when it resolves. */
export async function moveFolder(from: string, to: string): Promise<void> {
  await rename(from, to)
  await syncFolder(dirname(to))
}

/** A new name is durable once its folder is. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
