import { Goodbye, GoodbyeReason } from '../../codec/generated/sync.ts'
import type { GoodbyeName } from '../types.ts'
import { decoded, type Wire } from './messages.ts'
import { words } from './refusal.ts'

export const GOODBYE_PROTOCOL = '/moloch/goodbye/1'

export const GOODBYE: Wire<Goodbye> = { name: 'goodbye', codec: Goodbye, shape: { 1: 'u32', 2: 'bytes' } }

export function makeGoodbye(reason: GoodbyeName, message: string): Uint8Array {
  return Goodbye.encode({ reason: GoodbyeReason[reason], message })
}

/** @throws MolochError BAD_FRAME */
export function readGoodbye(frame: Uint8Array): { reason: GoodbyeName; message: string } {
  const { reason, message } = decoded(GOODBYE, frame)
  return {
    reason: reason === GoodbyeReason.GOODBYE_UNSPECIFIED ? 'FAULT' : reason,
    message: words(message)
  }
}
