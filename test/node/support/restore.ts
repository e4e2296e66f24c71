/** Homes of validators that were put back from backups of parts of them, or lost parts, or hold damaged ones. */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { MarkFile } from '../../../src/consensus/mark-file.ts'
import { homePaths } from '../../../src/node/home.ts'

export const HOWS = ['older', 'newer', 'empty', 'damaged'] as const
export const PARTS = ['chain', 'signer', 'mark', 'all'] as const
export type How = (typeof HOWS)[number]
export type Part = (typeof PARTS)[number]

export const CELLS: readonly (readonly [How, Part])[] = HOWS.flatMap((how) => PARTS.map((part) => [how, part] as const))

const SINGLE = ['chain', 'signer', 'mark'] as const

/**
 * Does to a stopped node's home what a cell says.
 * @param backup a copy of it from an earlier time
 */
export function befall(home: string, backup: string, how: How, part: Part): void {
  const own = part === 'all' ? SINGLE : [part]
  const others = SINGLE.filter((one) => one !== part)
  if (how === 'older') for (const one of own) putBack(backup, home, one)
  if (how === 'newer') {
    // All of it is newest: that is a home that was moved.
    if (part === 'all') for (const one of SINGLE) putBack(home, home, one)
    else for (const one of others) putBack(backup, home, one)
  }
  if (how === 'empty') for (const one of own) rmSync(homePaths(home)[one], { recursive: true, force: true })
  if (how === 'damaged') for (const one of own) damage(homePaths(home)[one])
}

/** As a backup does: what is there goes, the copy comes in its place. */
function putBack(from: string, to: string, part: (typeof SINGLE)[number]): void {
  const [source, target] = [homePaths(from)[part], homePaths(to)[part]]
  const staged = `${target}.restored`
  cpSync(source, staged, { recursive: true, preserveTimestamps: true })
  rmSync(target, { recursive: true, force: true })
  mkdirSync(dirname(target), { recursive: true })
  cpSync(staged, target, { recursive: true, preserveTimestamps: true })
  rmSync(staged, { recursive: true })
}

export function copyHome(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true })
  cpSync(from, to, { recursive: true, preserveTimestamps: true })
}

/** A file from its beginning, or a run of bytes in the middle of each file of a LevelDB that holds something. */
function damage(path: string): void {
  const isFolder = statSync(path).isDirectory()
  if (!isFolder) flip(path, 0)
  for (const name of isFolder ? readdirSync(path) : []) {
    if (/\.(log|ldb)$|^MANIFEST/.test(name)) flip(join(path, name), statSync(join(path, name)).size / 4)
  }
}

function flip(file: string, from: number): void {
  const bytes = readFileSync(file)
  for (let at = Math.floor(from); at < Math.max(from + 100, bytes.length / 2); at++) bytes[at] = (bytes[at] ?? 0) ^ 0x5a
  writeFileSync(file, bytes)
}

/** The newest home of all may be in other files here than it was made in: its mark is written anew, as if it had been made here. */
export async function settle(home: string): Promise<void> {
  const file = new MarkFile(homePaths(home).mark)
  const state = await file.read()
  if (state.kind === 'read') await file.write(state.mark)
  await file.close()
}
