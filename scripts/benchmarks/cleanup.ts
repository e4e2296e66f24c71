import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

// What a benchmark leaves on the machine while it runs is undone when the program ends, also by an error or Ctrl-C.

const undos = new Set<() => void>()

function undoAll(): void {
  for (const undo of [...undos].reverse()) {
    undos.delete(undo)
    try {
      undo()
    } catch (error) {
      console.error(error)
    }
  }
}

let watching = false

function watch(): void {
  if (watching) return
  watching = true
  process.once('exit', undoAll)
  for (const [signal, number] of [
    ['SIGINT', 2],
    ['SIGTERM', 15],
    ['SIGHUP', 1]
  ] as const) {
    // A handler keeps the program alive, so it has to end it; the exit event does the rest.
    process.once(signal, () => process.exit(128 + number))
  }
}

/** Has `undo` (nothing asynchronous) called at the end of the program. @returns calls it now instead */
export function atEnd(undo: () => void): () => void {
  watch()
  undos.add(undo)
  return () => {
    if (undos.delete(undo)) undo()
  }
}

/** A new folder, and what removes it. */
export function tempFolder(): { readonly folder: string; readonly remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'moloch-bench-'))
  // Processes that were just ended may still be writing.
  return { folder, remove: atEnd(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 })) }
}
