import { hasCode, MolochError, messageOf } from '../error.ts'

export type StoreErrorCode =
  /** Another process has the database open. */
  | 'STORE_LOCKED'
  /** There is no database and none was to be made. */
  | 'STORE_MISSING'
  /** The database is of another genesis. */
  | 'STORE_OTHER_CHAIN'
  /** It holds blocks where headers alone are wanted, or the other way round. */
  | 'STORE_OTHER_MODE'
  /** Written by a version whose format this one does not read. */
  | 'STORE_FORMAT'
  /** Rows that must be there are not, or are not what they must be. */
  | 'STORE_CORRUPT'
  /**
   * The system did not do what it was asked for: a full disk, no descriptors left. It says nothing of what is on disk, so
   * that is kept. After a failed write what a database has in memory may be ahead of the disk: it writes nothing more.
   */
  | 'STORE_FAILED'
  /** There is no such file of a snapshot. */
  | 'SNAPSHOT_MISSING'
  /** A file of a snapshot is not one, is not whole, or is not what its checksums say. */
  | 'SNAPSHOT_DAMAGED'

export function storeError(
  code: StoreErrorCode,
  message: string,
  details: Record<string, unknown> = {},
  cause?: unknown
): MolochError<StoreErrorCode> {
  return new MolochError(code, message, details, cause === undefined ? undefined : { cause })
}

/** Whether the system says that there is no such file: the one error that does not leave open what is on the disk. */
export function isAbsent(error: unknown): boolean {
  return (error as { code?: unknown } | undefined)?.code === 'ENOENT'
}

export function corrupt(path: string, what: string, cause?: unknown): MolochError<StoreErrorCode> {
  return storeError(
    'STORE_CORRUPT',
    `the database in ${path} is damaged (${what}): restore it from a copy, or remove the folder and sync again`,
    { path },
    cause
  )
}

/** What the system was short of, or would not do: of such words nothing follows for what is on the disk. */
const SYSTEM: readonly (readonly [words: RegExp, help: string])[] = [
  [/too many open files/i, 'raise the limit of open files (ulimit -n)'],
  [/cannot allocate memory/i, 'the machine is short of memory'],
  [/no space left on device|disk quota exceeded/i, 'make room on the disk'],
  [/permission denied|operation not permitted|read-only file system/i, 'see to the rights of the folder'],
  [/input\/output error/i, 'the disk does not give what it holds: see to it']
]

/** What would do where LevelDB failed for the machine's sake. */
export function systemHelp(what: string): string {
  return SYSTEM.find(([words]) => words.test(what))?.[1] ?? 'see to the machine and its disk'
}

/** A table, or the list of them, that is not there, is no file, or ends too soon. */
const LOST = /(\.ldb|\.sst|MANIFEST-\d+|CURRENT): (invalid argument|no such (file or directory|device)|is a directory)/i

/**
 * Whether what LevelDB could not do tells of damage. Whatever else the system refuses, in words that nobody can list (a share
 * that is gone, a quota), says nothing of what is on the disk.
 */
export function tellsOfDamage(error: unknown): boolean {
  const code = (error as { code?: unknown } | undefined)?.code
  return code === 'LEVEL_CORRUPTION' || (code === 'LEVEL_IO_ERROR' && LOST.test(messageOf(error)))
}

/**
 * What a read that LevelDB could not do says, in one line. A table that is cut short, or is no file, it reports as a failed
 * read and not as damage. What is no error of a database is handed back as it is.
 */
export function readError(path: string, error: unknown): unknown {
  const code = (error as { code?: unknown } | undefined)?.code
  if (code !== 'LEVEL_CORRUPTION' && code !== 'LEVEL_IO_ERROR') return error
  const what = messageOf(error)
  if (tellsOfDamage(error)) return corrupt(path, what, error)
  const orElse = /input\/output error/i.test(what)
    ? ', and restore the database from a copy, or remove the folder and sync again'
    : ''
  return storeError(
    'STORE_FAILED',
    `can't read the database in ${path} (${what}): ${systemHelp(what)}${orElse}`,
    { path },
    error
  )
}

/** Whether what was thrown says that the database in this folder is damaged. */
export function isDamageOf(path: string, error: unknown): error is MolochError {
  return hasCode(error, 'STORE_CORRUPT') && error.details.path === path
}

/** What a failed open says, in one line. */
export function openError(path: string, error: unknown): MolochError<StoreErrorCode> {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  const code = (cause as { code?: unknown } | undefined)?.code
  if (code === 'LEVEL_LOCKED') {
    return storeError(
      'STORE_LOCKED',
      `the database in ${path} is in use by another process: stop that one, or use another home`,
      { path },
      cause
    )
  }
  if (tellsOfDamage(cause)) return corrupt(path, messageOf(cause), cause)
  return storeError('STORE_FAILED', `can't open the database in ${path}: ${messageOf(cause)}`, { path }, cause)
}
