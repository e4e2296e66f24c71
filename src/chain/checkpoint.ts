import { fromHex, toHex } from '../codec/bytes.ts'
import { MolochError } from '../error.ts'
import { HASH_BYTES } from './merkle.ts'

/** A block that somebody trusts for reasons of their own: all else is proven from it. */
export interface Checkpoint {
  readonly height: number
  readonly hash: Uint8Array
}

/** @throws MolochError BAD_CHECKPOINT */
export function parseCheckpoint(text: string): Checkpoint {
  const [, height, hash] = /^(\d{1,16}):([0-9a-fA-F]{64})$/.exec(text) ?? []
  if (height === undefined || hash === undefined || !Number.isSafeInteger(Number(height))) {
    throw new MolochError(
      'BAD_CHECKPOINT',
      `${JSON.stringify(text)} is no checkpoint; accepted: HEIGHT:HASH, the hash as 64 hex digits (moloch checkpoint show)`
    )
  }
  return { height: Number(height), hash: fromHex(hash, HASH_BYTES) as Uint8Array }
}

export function checkpointText({ height, hash }: Checkpoint): string {
  return `${height}:${toHex(hash)}`
}
