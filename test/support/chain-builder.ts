import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { cp, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { CheckedBlock } from '../../src/chain/check-block.ts'
import type { Genesis } from '../../src/chain/genesis.ts'
import { toHex, utf8 } from '../../src/codec/bytes.ts'
import type { KeyPair } from '../../src/crypto/ed25519.ts'
import { sha256 } from '../../src/crypto/sha256.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { silentLog } from '../../src/log.ts'
import { ChainMaker, type ChainSpec, specOf } from './chain-maker.ts'

/**
 * Chains on disk for tests and benchmarks: real signatures, written through the ledger, made once and kept in
 * `.cache/chains/`. A folder there is named by what the chain is made of and by the sources that made it; nobody opens
 * a database in it: what is handed out is a copy.
 */
export interface BuiltChain {
  readonly genesis: Genesis
  /** In genesis order. */
  readonly validators: readonly KeyPair[]
  readonly actors: readonly KeyPair[]
  /** A folder with `genesis.json` and `data/chain/`; whoever asked for it removes it. */
  readonly home: string
  /** The database, for Ledger.open. */
  readonly path: string
  readonly blocks: number
}

export interface BuildOptions extends Partial<ChainSpec> {
  /** Height of the chain. */
  readonly blocks: number
  /** Where the copy goes; must not exist yet. */
  readonly home: string
  /** Told how far a chain that is not cached yet is. */
  readonly onProgress?: (height: number) => void
}

/** Where the database is in a home (docs: interface). */
export const CHAIN_FOLDER = join('data', 'chain')
/** Every chain that was built, by what it is made of. */
export const CHAIN_CACHE = join(projectRoot(), '.cache', 'chains')
/** Blocks that are made before they are applied together. */
const RUN = 32

export async function buildChain(options: BuildOptions): Promise<BuiltChain> {
  const { blocks, home, onProgress, ...rest } = options
  const spec = specOf(rest)
  const cached = await cachedChain(spec, blocks, onProgress)
  await mkdir(dirname(home), { recursive: true })
  await cp(cached, home, { recursive: true, errorOnExist: true, force: false })
  const { genesis, validators, actors } = new ChainMaker(spec)
  return { genesis, validators, actors, home, path: join(home, CHAIN_FOLDER), blocks }
}

/** The folder in the cache, made if it is not there. */
async function cachedChain(spec: ChainSpec, blocks: number, onProgress?: (height: number) => void): Promise<string> {
  const name = hashOf(JSON.stringify({ spec, blocks }))
  const folder = join(CHAIN_CACHE, `${name}-${sourcesHash()}`)
  if (existsSync(folder)) return folder
  // Made beside it and renamed when whole: processes that want the same chain at once don't meet.
  const draft = join(CHAIN_CACHE, `draft-${process.pid}-${randomBytes(4).toString('hex')}`)
  await writeChain(draft, spec, blocks, onProgress)
  await removeOlder(name)
  try {
    await rename(draft, folder)
  } catch (error) {
    await rm(draft, { recursive: true })
    if (!existsSync(folder)) throw error
  }
  return folder
}

async function writeChain(
  home: string,
  spec: ChainSpec,
  blocks: number,
  onProgress?: (height: number) => void
): Promise<void> {
  const maker = new ChainMaker(spec)
  const path = join(home, CHAIN_FOLDER)
  await mkdir(path, { recursive: true })
  await writeFile(join(home, 'genesis.json'), maker.genesis.json)
  const ledger = await Ledger.open({ path, genesis: maker.genesis, log: silentLog })
  try {
    while (maker.head.tip.height < blocks) {
      const count = Math.min(RUN, blocks - maker.head.tip.height)
      await applyAll(
        ledger,
        Array.from({ length: count }, () => maker.next())
      )
      onProgress?.(maker.head.tip.height)
    }
  } finally {
    await ledger.close()
  }
}

/** Applies blocks that must be accepted. */
export async function applyAll(ledger: Ledger, blocks: readonly CheckedBlock[]): Promise<void> {
  const { failure } = await ledger.apply(blocks)
  if (failure !== undefined)
    throw new Error(`block ${failure.index}: ${failure.failure.code} ${failure.failure.message}`)
}

/** Chains of sources that are no more: a benchmark's has hundreds of megabytes. */
async function removeOlder(name: string): Promise<void> {
  for (const entry of await readdir(CHAIN_CACHE)) {
    if (entry.startsWith(`${name}-`)) await rm(join(CHAIN_CACHE, entry), { recursive: true, force: true })
  }
}

/** What a chain's bytes and rows depend on. A change of any of it makes them anew. */
const SOURCES = ['protos', 'src/codec', 'src/crypto', 'src/chain', 'src/store', 'src/ledger']
const MAKERS = ['test/support/chain-maker.ts', 'test/support/random.ts']

function sourcesHash(): string {
  const root = projectRoot()
  const files = SOURCES.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file))
  ).filter((file) => /\.(ts|proto)$/.test(file) && !file.includes('generated'))
  return hashOf(
    [...files, ...MAKERS]
      .sort()
      .map((file) => `${file}\n${readFileSync(join(root, file), 'utf8')}`)
      .join('\n')
  )
}

function hashOf(text: string): string {
  return toHex(sha256(utf8(text))).slice(0, 16)
}

/** The checkout, also for a compiled copy of this file. */
function projectRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'protos', 'chain.proto'))) {
    const parent = dirname(folder)
    if (parent === folder) throw new Error('this file is in no checkout')
    folder = parent
  }
  return folder
}
