import { MolochError, messageOf } from '../error.ts'
import type { Log } from '../log.ts'

export interface AskPeersPorts {
  /** Peers whose certified height is at least this, in the order in which they are to be asked. */
  holders(height: number): string[]
  penalise(peer: string, code: string, message: string): void
  readonly log: Log
}

/** A peer that is silent for this long is given up: another one is asked, and somebody waits for the answer. */
export const ANSWER_MS = 4_000
/** Who lie or lack it may be many; more than this are not asked for one answer. */
const MAX_ASKED = 8

/** Codes with which an honest peer says that it cannot answer, the most telling first. */
const HONEST = ['ANCHOR_TOO_OLD', 'UNKNOWN_EVENT', 'UNAVAILABLE', 'NOT_READY', 'RATE_LIMITED', 'PEER_UNSUPPORTED']

/**
 * Asks one peer after the other until one answers with what holds. `ask` checks what it gets and throws the fault's code:
 * then that peer is blamed, and the next one asked.
 * @param height what is asked for rests on the header of this height
 * @param signal ends it; each question also ends by itself
 * @throws MolochError with the most telling code of honest refusals, else NO_ANSWER: what each peer did, in one line
 */
export async function askPeers<Answer>(
  ports: AskPeersPorts,
  what: string,
  height: number,
  ask: (peer: string, signal: AbortSignal) => Promise<Answer>,
  signal?: AbortSignal
): Promise<Answer> {
  const refusals: MolochError[] = []
  const faults: string[] = []
  for (const peer of ports.holders(height).slice(0, MAX_ASKED)) {
    try {
      return await within(ask, peer, signal)
    } catch (error) {
      if (signal?.aborted === true || !(error instanceof MolochError)) throw error
      if (HONEST.includes(error.code)) refusals.push(error)
      else faults.push(`${peer}: ${error.code}`)
      ports.penalise(peer, error.code, messageOf(error))
      ports.log.debug({ peer, code: error.code, err: messageOf(error) }, `a peer did not answer: ${what}`)
    }
  }
  const telling = HONEST.flatMap((code) => refusals.filter((error) => error.code === code))[0]
  if (telling !== undefined) throw new MolochError(telling.code, `${what}: ${messageOf(telling)}`)
  const why =
    faults.length === 0 ? 'no peer that holds it is connected' : `no peer's answer holds (${faults.join('; ')})`
  throw new MolochError('NO_ANSWER', `${what}: ${why}`)
}

async function within<Answer>(
  ask: (peer: string, signal: AbortSignal) => Promise<Answer>,
  peer: string,
  outer: AbortSignal | undefined
): Promise<Answer> {
  const deadline = new AbortController()
  const abort = (): void => deadline.abort()
  const timer = setTimeout(abort, ANSWER_MS)
  outer?.addEventListener('abort', abort)
  try {
    return await ask(peer, deadline.signal)
  } catch (error) {
    if (deadline.signal.aborted && outer?.aborted !== true) {
      throw new MolochError('PEER_TIMEOUT', `no answer within ${ANSWER_MS} ms`)
    }
    throw error
  } finally {
    clearTimeout(timer)
    outer?.removeEventListener('abort', abort)
  }
}
