/** What somebody who runs a validator can find out about its signer, and say to it, while the node is stopped. */
import { existsSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { toHex } from '../codec/bytes.ts'
import { type DoubtCode, remedy } from '../consensus/doubt.ts'
import { MarkFile } from '../consensus/mark-file.ts'
import { readSigner } from '../consensus/read-signer.ts'
import { Signer } from '../consensus/signer.ts'
import { openSignerStore } from '../consensus/signer-store.ts'
import type { KeyPair } from '../crypto/ed25519.ts'
import { hasCode, MolochError } from '../error.ts'
import { type Home, openHome } from './home.ts'
import { withHomeLock } from './home-lock.ts'

export interface SignerReport {
  /** Hex. */
  readonly public_key: string
  /** The height that was signed at last, by the log and by the mark; null: none. */
  readonly log_height: number | null
  readonly mark_height: number | null
  /** `sound`: it signs after the next start. `behind`: it signs above the mark. `doubt`: it is not known what was signed. */
  readonly state: 'sound' | 'behind' | 'doubt'
  readonly code: DoubtCode | null
  /** What was found, and what can be done. */
  readonly message: string | null
}

/**
 * Changes nothing.
 * @throws MolochError NOT_A_VALIDATOR | HOME_LOCKED | SIGNER_CORRUPT | SIGNER_OTHER_KEY | SIGNER_OTHER_CHAIN; those of openHome
 */
export async function inspectSigner(home: string): Promise<SignerReport> {
  const { paths, genesis, key } = validatorHome(home)
  return withHomeLock(home, async () => {
    const none = { entries: async () => [], write: async () => {}, close: async () => {} }
    const store = existsSync(paths.signer) ? await openSignerStore(paths.signer) : none
    try {
      const mine = { publicKey: toHex(key.publicKey), genesisHash: toHex(genesis.hash) }
      const names = { log: paths.signer, mark: paths.mark }
      const { memory, mark, assessment } = await readSigner(store, new MarkFile(paths.mark), mine, names)
      const doubt = assessment.kind === 'sound' ? undefined : assessment.doubt
      return {
        public_key: mine.publicKey,
        log_height: memory?.height ?? null,
        mark_height: mark === undefined || mark.sequence === 0 ? null : mark.height,
        state: assessment.kind,
        code: doubt?.code ?? null,
        message:
          doubt === undefined
            ? null
            : assessment.kind === 'doubt'
              ? `${doubt.message}; ${remedy(doubt.code)}`
              : doubt.message
      }
    } finally {
      await store.close()
    }
  })
}

/**
 * Takes the log for all that the key has signed: this is the newest copy of the home, and no other one runs.
 * @param isNewKey the key has never signed anything: of a log that has nothing that has to be said, for a lost one looks the same
 * @returns the height that was signed at last; 0: none
 * @throws MolochError SIGNER_SOUND if nobody doubts it; SIGNER_CONFLICT if it is known to lack something; as inspectSigner
 */
export function adoptSigner(home: string, isNewKey: boolean): Promise<number> {
  return withSigner(home, async (signer) => {
    if (signer.doubt === undefined && !signer.isNew) throw nothingToDo(signer)
    if (isNewKey && signer.signedUpTo > 0) {
      throw new MolochError('SIGNER_CONFLICT', `--new-key: this key has signed at height ${signer.signedUpTo}`)
    }
    if (!isNewKey && signer.signedUpTo === 0) {
      throw new MolochError(
        'SIGNER_CONFLICT',
        `neither log nor mark has anything that this key has signed: ${remedy('SIGNER_MISSING')}`
      )
    }
    await signer.adopt()
    return signer.signedUpTo
  })
}

/**
 * Has the key sign nothing at `above` or below, whatever it has signed there, and puts a damaged log aside.
 * @param above undefined: what the mark says
 * @param force although the log or the mark says that it has signed above that
 * @returns the height above which it signs
 * @throws MolochError SIGNER_SOUND | SIGNER_CONFLICT | BAD_OPTION; as inspectSigner, but for SIGNER_CORRUPT
 */
export function resetSigner(home: string, above: number | undefined, force: boolean): Promise<number> {
  const prepare = async (paths: Home['paths']): Promise<void> => {
    if (force && above === undefined) {
      throw new MolochError(
        'BAD_OPTION',
        '--force: --above HEIGHT is needed with it, as log and mark are put aside. Nothing was changed'
      )
    }
    if (force) for (const path of [paths.signer, paths.mark]) await putAside(path)
  }
  const work = async (signer: Signer): Promise<number> => {
    if (above === undefined) {
      if (signer.settledDoubt !== undefined) {
        await signer.raise(signer.closedUpTo)
        return signer.closedUpTo
      }
      if (signer.doubt === undefined) throw nothingToDo(signer)
      throw new MolochError(
        'BAD_OPTION',
        `--above HEIGHT is needed: ${signer.doubt.message}, so you have to know up to which height this key has signed`
      )
    }
    if (above < signer.signedUpTo) {
      throw new MolochError(
        'SIGNER_CONFLICT',
        `--above ${above}: this key has signed up to height ${signer.signedUpTo}, or was told to sign only above it; that or more is ` +
          'accepted. What it has signed there and signs again is a fault that others can prove: --force does it all the same'
      )
    }
    await signer.raise(above)
    return signer.closedUpTo
  }
  return withSigner(home, work, prepare)
}

function nothingToDo({ signedUpTo, settledDoubt }: Signer): MolochError {
  const found =
    settledDoubt === undefined
      ? `log and mark agree, up to height ${signedUpTo}`
      : `${settledDoubt.message}; it signs above height ${signedUpTo}`
  return new MolochError('SIGNER_SOUND', `nothing is to be done: ${found}`)
}

function withSigner<Result>(
  home: string,
  work: (signer: Signer) => Promise<Result>,
  prepare: (paths: Home['paths']) => Promise<void> = async () => {}
): Promise<Result> {
  const { paths, genesis, key } = validatorHome(home)
  const open = () => Signer.open({ path: paths.signer, markPath: paths.mark, key, genesisHash: genesis.hash })
  return withHomeLock(home, async () => {
    await prepare(paths)
    const signer = await open().catch(async (error: unknown) => {
      if (!hasCode(error, 'SIGNER_CORRUPT')) throw error
      await putAside(paths.signer)
      return open()
    })
    try {
      return await work(signer)
    } finally {
      await signer.close()
    }
  })
}

/** Somebody may want to look at it. */
async function putAside(path: string): Promise<void> {
  if (existsSync(path)) await rename(path, `${path}.old-${Date.now()}`)
}

function validatorHome(home: string): Home & { readonly key: KeyPair } {
  const opened = openHome(home)
  if (opened.validatorKey !== undefined) return { ...opened, key: opened.validatorKey }
  throw new MolochError('NOT_A_VALIDATOR', `${home} has no keys/validator.key: it signs nothing`)
}
