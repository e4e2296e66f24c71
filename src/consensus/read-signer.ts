/** Reads the signer's log and its mark, and says what they are worth together. */
import { MolochError, messageOf } from '../error.ts'
import { type Assessment, assess, type LogState } from './doubt.ts'
import { digestOf, HEAD_KEY, hashesOf, NO_HEAD, readHead, type SignerHead, type ValueHashes } from './signer-head.ts'
import { FORMAT_KEY, readFormat, readMemory, type SignerMemory } from './signer-log.ts'
import type { Mark, MarkStore } from './signer-mark.ts'
import { corrupt, type SignerStore } from './signer-store.ts'

export type SignerErrorCode =
  /** Another process has the log open. */
  | 'SIGNER_LOCKED'
  /** The log does not open, makes no sense, or is not what its last write says. */
  | 'SIGNER_CORRUPT'
  /** The log or the mark is of another key or another chain. */
  | 'SIGNER_OTHER_KEY'
  | 'SIGNER_OTHER_CHAIN'
  /** The request contradicts the log, or lies before what was signed last. */
  | 'SIGNER_CONFLICT'
  /** It is not known what this key has signed: nothing is signed before that is settled. */
  | 'SIGNER_DOUBTED'
  /** A write failed: what the log or the mark holds is not known before they are opened again. */
  | 'SIGNER_BROKEN'

export const FORMAT_VERSION = 2
/** Of before there was a mark: it has no head. */
const UNCOUNTED_VERSION = 1

export interface SignerIdentity {
  /** Hex. */
  readonly publicKey: string
  /** Hex. */
  readonly genesisHash: string
}

/** For what is said of them. */
export interface SignerPaths {
  readonly log: string
  readonly mark: string
}

export interface ReadSigner {
  readonly memory: SignerMemory | undefined
  readonly head: SignerHead
  readonly hashes: ValueHashes
  readonly mark: Mark | undefined
  readonly log: LogState
  readonly assessment: Assessment
}

/** @throws MolochError SIGNER_CORRUPT | SIGNER_OTHER_KEY | SIGNER_OTHER_CHAIN */
export async function readSigner(
  store: SignerStore,
  markStore: MarkStore,
  mine: SignerIdentity,
  paths: SignerPaths
): Promise<ReadSigner> {
  const kept = readLog(await store.entries(), mine, paths.log)
  const state = await markStore.read()
  const mark = state.kind === 'read' ? state.mark : undefined
  if (mark !== undefined) assertMine(mark, mine, `the signer's mark ${paths.mark}`)
  return { ...kept, mark, assessment: assess(kept.log, state, paths) }
}

type KeptLog = Pick<ReadSigner, 'memory' | 'head' | 'hashes' | 'log'>

function readLog(entries: [key: string, value: Uint8Array][], mine: SignerIdentity, path: string): KeptLog {
  const find = (name: string): Uint8Array | undefined => entries.find(([key]) => key === name)?.[1]
  const format = find(FORMAT_KEY)
  try {
    if (format === undefined) {
      if (entries.length > 0) throw new Error('it has no format entry')
      return { memory: undefined, head: NO_HEAD, hashes: new Map(), log: { kind: 'empty' } }
    }
    const found = readFormat(format)
    const { version } = found
    if (version !== FORMAT_VERSION && version !== UNCOUNTED_VERSION) {
      throw new Error(`its format is ${version}, not ${FORMAT_VERSION}`)
    }
    assertMine(found, mine, `the signer's log ${path}`)
    const memory = readMemory(entries)
    const hashes = hashesOf(entries.filter(([key]) => key !== FORMAT_KEY && key !== HEAD_KEY))
    if (version === UNCOUNTED_VERSION) return { memory, head: NO_HEAD, hashes, log: { kind: 'uncounted' } }
    const written = find(HEAD_KEY)
    if (written === undefined) {
      if (memory !== undefined || hashes.size > 0) throw new Error('it does not say what was written last')
      return { memory, head: NO_HEAD, hashes, log: { kind: 'empty' } }
    }
    const head = readHead(written)
    if (head.digest !== digestOf(hashes) || memory === undefined) {
      throw new Error('it is not what was written last: entries are missing, or were changed')
    }
    return { memory, head, hashes, log: { kind: 'counted', head } }
  } catch (error) {
    throw error instanceof MolochError ? error : corrupt(path, messageOf(error))
  }
}

function assertMine(found: Partial<SignerIdentity>, mine: SignerIdentity, what: string): void {
  const { publicKey, genesisHash } = found
  const refuse = (code: SignerErrorCode, of: string, value: string | undefined): MolochError =>
    new MolochError(code, `${what} is of another ${of} (${value}): move it away if that is meant to be so`)
  if (publicKey !== mine.publicKey) throw refuse('SIGNER_OTHER_KEY', 'key', publicKey)
  if (genesisHash !== mine.genesisHash) throw refuse('SIGNER_OTHER_CHAIN', 'genesis', genesisHash)
}
