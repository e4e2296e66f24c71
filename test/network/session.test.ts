import { describe, expect, it } from 'vitest'
import { isOpen, NEW_SESSION, type Session, type SessionInput, transition } from '../../src/network/session.ts'

const shaking = (greeted = false, proven = false): Session => ({ state: 'HANDSHAKING', greeted, proven })
const at = (state: 'SYNCING' | 'SYNCED' | 'PROVIDING', height: number): Session => ({ state, height })
const status = (height: number, ownHeight: number): SessionInput => ({ type: 'status', height, ownHeight })
const head = (ownHeight: number): SessionInput => ({ type: 'head', ownHeight })
const closed: SessionInput = { type: 'closed', reason: 'why' }
const DETERMINING: Session = { state: 'DETERMINING' }
const CLOSED: Session = { state: 'CLOSED', reason: 'why' }

/** Every arrow there is; `throw` for an input that has no place; `same` for the same object. */
const ARROWS: [Session, SessionInput, Session | 'throw' | 'same'][] = [
  [NEW_SESSION, { type: 'connected' }, shaking()],
  [NEW_SESSION, { type: 'greeted' }, 'throw'],
  [NEW_SESSION, { type: 'proven' }, 'throw'],
  [NEW_SESSION, status(1, 1), 'throw'],
  [NEW_SESSION, head(1), 'same'],
  [NEW_SESSION, closed, CLOSED],

  [shaking(), { type: 'connected' }, 'same'],
  [shaking(), { type: 'greeted' }, shaking(true, false)],
  [shaking(), { type: 'proven' }, shaking(false, true)],
  [shaking(true), { type: 'greeted' }, 'same'],
  [shaking(true), { type: 'proven' }, DETERMINING],
  [shaking(false, true), { type: 'greeted' }, DETERMINING],
  [shaking(), status(1, 1), 'throw'],
  [shaking(), head(1), 'same'],
  [shaking(true), closed, CLOSED],

  [DETERMINING, { type: 'connected' }, 'same'],
  [DETERMINING, { type: 'greeted' }, 'same'],
  [DETERMINING, { type: 'proven' }, 'same'],
  [DETERMINING, head(4), 'same'],
  [DETERMINING, status(5, 4), at('SYNCING', 5)],
  [DETERMINING, status(4, 4), at('SYNCED', 4)],
  [DETERMINING, status(3, 4), at('PROVIDING', 3)],
  [DETERMINING, closed, CLOSED],

  [at('SYNCING', 5), head(4), 'same'],
  [at('SYNCING', 5), head(5), at('SYNCED', 5)],
  [at('SYNCING', 5), head(6), at('PROVIDING', 5)],
  [at('SYNCING', 5), status(5, 4), 'same'],
  [at('SYNCING', 5), status(9, 4), at('SYNCING', 9)],
  [at('SYNCED', 5), status(6, 5), at('SYNCING', 6)],
  [at('SYNCED', 5), head(6), at('PROVIDING', 5)],
  [at('PROVIDING', 5), status(6, 6), at('SYNCED', 6)],
  [at('PROVIDING', 5), status(2, 6), at('PROVIDING', 2)],
  [at('PROVIDING', 5), status(7, 6), at('SYNCING', 7)],
  [at('SYNCED', 5), { type: 'connected' }, 'same'],
  [at('SYNCED', 5), { type: 'greeted' }, 'same'],
  [at('SYNCED', 5), { type: 'proven' }, 'same'],
  [at('SYNCED', 5), closed, CLOSED],

  [CLOSED, closed, 'same'],
  [CLOSED, { type: 'connected' }, 'throw'],
  [CLOSED, { type: 'greeted' }, 'throw'],
  [CLOSED, status(1, 1), 'throw'],
  [CLOSED, head(1), 'throw']
]

describe('the session', () => {
  it.each(ARROWS)('%o with %o is %o', (session, input, next) => {
    if (next === 'throw') {
      expect(() => transition(session, input)).toThrow(expect.objectContaining({ code: 'BAD_TRANSITION' }))
    } else if (next === 'same') {
      expect(transition(session, input)).toBe(session)
    } else {
      expect(transition(session, input)).toEqual(next)
    }
  })

  it('is open once both hellos are done', () => {
    expect([NEW_SESSION, shaking(true), DETERMINING, at('SYNCED', 1), CLOSED].map(isOpen)).toEqual([
      false,
      false,
      true,
      true,
      false
    ])
  })
})
