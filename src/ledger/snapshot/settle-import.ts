import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { type Checkpoint, checkpointText } from '../../chain/checkpoint.ts'
import type { Genesis } from '../../chain/genesis.ts'
import { equalBytes } from '../../codec/bytes.ts'
import { hasCode, isCalledOff, MolochError, messageOf } from '../../error.ts'
import { isDamageOf } from '../../store/errors.ts'
import { moveFolder } from './move-folder.ts'
import { peekChain } from './peek-chain.ts'
import { newFolder, type SwitchOptions, stagedFolder, switchDatabase, undoSwitch } from './switch-database.ts'

export interface SettleOptions extends SwitchOptions {
  /** An import that is not of its chain, or ends below it, is of no use. Undefined: any of this genesis is. */
  readonly checkpoint: Checkpoint | undefined
}

/**
 * Carries on an import that was stopped before it took the place of the database at `path`, which nobody has open, or clears
 * it away: one of another chain must not keep a node from starting for ever.
 * @throws as switchDatabase; ABORTED by the signal
 */
export async function settleImport(
  path: string,
  genesis: Genesis,
  { checkpoint, report, signal }: SettleOptions
): Promise<void> {
  // Before one is dropped: afterwards nothing would tell that chain.old is the chain.
  await undoSwitch(path)
  const why = existsSync(newFolder(path)) ? await whyOther(newFolder(path), genesis, checkpoint) : undefined
  if (why !== undefined) {
    await drop(path)
    report?.(dropped(path, why))
  }
  try {
    await switchDatabase(path, genesis, { report, signal })
  } catch (error) {
    if (isDamageOf(newFolder(path), error)) return report?.(dropped(path, error.message))
    if (!isCalledOff(error, signal)) throw error
    throw new MolochError('ABORTED', 'blocks were being carried over; that goes on the next time')
  }
}

function dropped(path: string, why: string): string {
  return `the import in ${newFolder(path)} is dropped: ${why}`
}

async function whyOther(folder: string, genesis: Genesis, checkpoint: Checkpoint | undefined) {
  try {
    const { height, hash } = await peekChain(folder, genesis, checkpoint?.height ?? 0)
    if (height === 0) return 'it is not whole'
    if (checkpoint === undefined) return undefined
    const wanted = `the checkpoint is ${checkpointText(checkpoint)}`
    if (hash === undefined) return `it ends at block ${height}, and ${wanted}`
    if (equalBytes(hash, checkpoint.hash)) return undefined
    return `it has ${checkpointText({ height: checkpoint.height, hash })}, and ${wanted}`
  } catch (error) {
    if (!OTHERS.some((code) => hasCode(error, code))) throw error
    return messageOf(error)
  }
}

const OTHERS = ['STORE_OTHER_CHAIN', 'STORE_OTHER_MODE', 'STORE_CORRUPT'] as const

/** Removes an import that nobody wants, and what a killed one left. Only after `undoSwitch`: see there. */
export async function dropImport(path: string, report: (line: string) => void): Promise<void> {
  const waits = existsSync(newFolder(path))
  await drop(path)
  if (waits) report(dropped(path, 'it is not needed any more'))
}

async function drop(path: string): Promise<void> {
  // By one rename: half of it must not be taken for the whole.
  await rm(stagedFolder(path), { recursive: true, force: true })
  if (!existsSync(newFolder(path))) return
  await moveFolder(newFolder(path), stagedFolder(path))
  await rm(stagedFolder(path), { recursive: true, force: true })
}
