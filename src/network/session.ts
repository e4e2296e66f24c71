/**
 * The session with one peer (protocol §13), pure: every transition there is.
 *
 *     CONNECTING ─connected→ HANDSHAKING ─greeted and proven→ DETERMINING ─status→ SYNCING | SYNCED | PROVIDING
 *     SYNCING | SYNCED | PROVIDING ─status, head→ SYNCING | SYNCED | PROVIDING        any ─closed→ CLOSED
 *
 * Seen from our side: SYNCING = it is ahead and we download from it, SYNCED = equal, PROVIDING = it is behind.
 */
import { MolochError } from '../error.ts'

export type Session =
  | { readonly state: 'CONNECTING' }
  | {
      readonly state: 'HANDSHAKING'
      /** Its Hello passed. */
      readonly greeted: boolean
      /** Its Ack to our Hello passed: its chain key is proven. */
      readonly proven: boolean
    }
  | { readonly state: 'DETERMINING' }
  | {
      readonly state: 'SYNCING' | 'SYNCED' | 'PROVIDING'
      /** Its certified height. */
      readonly height: number
    }
  | { readonly state: 'CLOSED'; readonly reason: string }

export type SessionInput =
  | { readonly type: 'connected' }
  | { readonly type: 'greeted' }
  | { readonly type: 'proven' }
  /** A Status (or other proof of height) of the peer, beside our own height. */
  | { readonly type: 'status'; readonly height: number; readonly ownHeight: number }
  /** Our own tip moved. */
  | { readonly type: 'head'; readonly ownHeight: number }
  | { readonly type: 'closed'; readonly reason: string }

export const NEW_SESSION: Session = { state: 'CONNECTING' }

/**
 * @returns the same object if nothing changes
 * @throws MolochError BAD_TRANSITION for an input that has no place in the state
 */
export function transition(session: Session, input: SessionInput): Session {
  if (input.type === 'closed') return session.state === 'CLOSED' ? session : { state: 'CLOSED', reason: input.reason }
  switch (session.state) {
    case 'CONNECTING':
      if (input.type === 'connected') return { state: 'HANDSHAKING', greeted: false, proven: false }
      if (input.type === 'head') return session
      break
    case 'HANDSHAKING': {
      if (input.type === 'head' || input.type === 'connected') return session
      if (input.type === 'status') break
      if (session[input.type]) return session
      const next = { ...session, [input.type]: true }
      return next.greeted && next.proven ? { state: 'DETERMINING' } : next
    }
    case 'DETERMINING':
      if (input.type === 'status') return determined(input.height, input.ownHeight)
      return session
    case 'SYNCING':
    case 'SYNCED':
    case 'PROVIDING': {
      // A second connection, and the Hellos on it, change nothing.
      if (input.type !== 'status' && input.type !== 'head') return session
      const next = determined(input.type === 'status' ? input.height : session.height, input.ownHeight)
      return next.state === session.state && next.height === session.height ? session : next
    }
    case 'CLOSED':
      break
  }
  throw new MolochError('BAD_TRANSITION', `a session that is ${session.state} has no place for ${input.type}`)
}

function determined(height: number, ownHeight: number): Session & { height: number } {
  if (height > ownHeight) return { state: 'SYNCING', height }
  if (height < ownHeight) return { state: 'PROVIDING', height }
  return { state: 'SYNCED', height }
}

/** Whether both Hellos are done. */
export function isOpen(session: Session): boolean {
  return session.state !== 'CONNECTING' && session.state !== 'HANDSHAKING' && session.state !== 'CLOSED'
}
