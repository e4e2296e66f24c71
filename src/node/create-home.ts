import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { Genesis } from '../chain/genesis.ts'
import { encodeSlot, freshMark } from '../consensus/signer-mark.ts'
import { keyPairFromSeed } from '../crypto/ed25519.ts'
import { MolochError } from '../error.ts'
import { renderConfigFile } from './config/file.ts'
import type { SettingValue } from './config/settings.ts'
import { createFile, syncDirectory } from './durable-file.ts'
import { assertValidator, type HomePaths, homePaths, keyPath } from './home.ts'
import { createKeyFile, createPeerKeyFile, newSeed } from './key-files.ts'

export interface HomeSpec {
  readonly home: string
  readonly genesis: Genesis
  /** What config.toml sets; all else is shown there as a default, commented out. */
  readonly settings?: Readonly<Record<string, SettingValue>>
  /** 32-byte seeds; absent ones are drawn, but a home has a validator key only if its seed is given. */
  readonly seeds?: {
    readonly peer?: Uint8Array | undefined
    readonly chain?: Uint8Array | undefined
    readonly validator?: Uint8Array | undefined
    readonly actor?: Uint8Array | undefined
  }
  /**
   * The validator key has never signed anything: it was drawn for this home, or somebody says so. Of any other key that is not known;
   * the validator is in doubt then (see consensus/doubt.ts), since a home that was lost is made anew in the same way.
   */
  readonly isNewKey?: boolean
}

/**
 * Makes a home, whole or not at all: it is built under a passing name and moved into place.
 * @throws MolochError HOME_EXISTS | KEY_NOT_IN_GENESIS
 */
export async function createHome(spec: HomeSpec): Promise<void> {
  const { home, genesis } = spec
  const exists = assertFree(home)
  const { validator } = spec.seeds ?? {}
  if (validator !== undefined) assertValidator(genesis, keyPairFromSeed(validator), 'the validator key')
  const parent = dirname(home)
  if (!exists) mkdirSync(parent, { recursive: true })
  const suffix = `.new-${randomBytes(6).toString('hex')}`
  const staged = exists ? join(home, suffix) : join(parent, `.${basename(home)}${suffix}`)
  try {
    await build(staged, spec)
    if (exists) moveContents(staged, home)
    else renameSync(staged, home)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTEMPTY') throw notEmpty(home)
    throw error
  } finally {
    rmSync(staged, { recursive: true, force: true })
  }
  syncDirectory(exists ? home : parent)
}

/** Whether the directory exists (and is empty). @throws MolochError HOME_EXISTS if anything is in it */
export function assertFree(home: string): boolean {
  const status = statSync(home, { throwIfNoEntry: false })
  if (status === undefined) return false
  if (!status.isDirectory())
    throw new MolochError('HOME_EXISTS', `${home} is a file; a new or empty directory is accepted`)
  if (readdirSync(home).length > 0) throw notEmpty(home)
  return true
}

function notEmpty(home: string): MolochError {
  return new MolochError('HOME_EXISTS', `${home} is not empty; a new or empty directory is accepted`)
}

async function build(
  directory: string,
  { genesis, settings = {}, seeds = {}, isNewKey = false }: HomeSpec
): Promise<void> {
  const paths = homePaths(directory)
  mkdirSync(directory, { mode: 0o755 })
  mkdirSync(paths.keys, { mode: 0o700 })
  for (const path of [paths.data, paths.logs]) mkdirSync(path, { mode: 0o755 })
  await createPeerKeyFile(keyPath(directory, 'peer'), seeds.peer ?? newSeed())
  createKeyFile(keyPath(directory, 'actor'), seeds.actor ?? newSeed())
  if (seeds.validator === undefined) createKeyFile(keyPath(directory, 'chain'), seeds.chain ?? newSeed())
  else createValidatorKey(paths, genesis, seeds.validator, isNewKey)
  // 0600: it may come to hold api.token.
  createFile(paths.config, renderConfigFile(new Map(Object.entries(settings))), 0o600)
  createFile(paths.genesis, `${JSON.stringify(JSON.parse(genesis.json), null, 2)}\n`, 0o644)
}

/** A validator that finds a key and no mark has lost it, or does not know: a mark of nothing signed is a statement. */
function createValidatorKey(paths: HomePaths, genesis: Genesis, seed: Uint8Array, isNew: boolean): void {
  const path = keyPath(paths.home, 'validator')
  createKeyFile(path, seed)
  if (!isNew) return
  const mark = freshMark(keyPairFromSeed(seed).publicKey, genesis.hash)
  createFile(paths.mark, new TextDecoder().decode(encodeSlot(mark, { turn: 0 })), 0o600)
}

/**
 * An empty directory that is there already may be a mount (a container's volume), which cannot be replaced, and its
 * parent may not be ours. The genesis is moved last: without it a directory is no home.
 */
function moveContents(staged: string, home: string): void {
  const moved: string[] = []
  try {
    for (const name of ['keys', 'data', 'logs', 'config.toml', 'genesis.json']) {
      renameSync(join(staged, name), join(home, name))
      moved.push(join(home, name))
    }
  } catch (error) {
    for (const path of moved) rmSync(path, { recursive: true, force: true })
    throw error
  }
}
