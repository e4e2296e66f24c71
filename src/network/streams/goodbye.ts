import { Goodbye, GoodbyeReason } from '../../codec/generated/sync.ts'
import type { GoodbyeName } from '../types.ts'
import { decoded } from './messages.ts'
import { words } from './refusal.ts'

export const GOODBYE_PROTOCOL = '/moloch/goodbye/1'

export function makeGoodbye(reason: GoodbyeName, message: string): Uint8Array {
  return Goodbye.encode({ reason: GoodbyeReason[reason], message })
}

/** @throws MolochError BAD_FRAME */
export function readGoodbye(frame: Uint8Array): { reason: GoodbyeName; message: string } {
  const { reason, message } = decoded('goodbye', () => Goodbye.decode(frame))
  return {
    reason: reason === GoodbyeReason.GOODBYE_UNSPECIFIED ? 'FAULT' : reason,
    message: words(message)
  }
}
