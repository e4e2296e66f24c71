import { MolochError, messageOf } from '../error.ts'
import type { Log } from '../log.ts'
import { withinAnswerTime } from './answer-time.ts'

export interface AskPeersPorts {
  /** Peers whose certified height is at least this, in the order in which they are to be asked. */
  holders(height: number): string[]
  penalise(peer: string, code: string, message: string): void
  readonly log: Log
}

/** Who lie or lack it may be many; more than this are not asked for one answer. */
const MAX_ASKED = 8

/** Codes with which an honest peer says that it cannot answer, the most telling first. */
const HONEST = ['ANCHOR_TOO_OLD', 'UNKNOWN_EVENT', 'UNAVAILABLE', 'NOT_READY', 'RATE_LIMITED', 'PEER_UNSUPPORTED']
/** What our own chain says: no peer's fault, and no other peer's answer would change it. */
const OURS = ['CONFLICTING_FINALITY', 'LEDGER_CLOSED', 'STORE_FAILED', 'STORE_CORRUPT']

/**
 * Asks one peer after the other until one answers with what holds. `ask` checks what it gets and throws the fault's code:
 * then that peer is blamed, and the next one asked.
 * @param height what is asked for rests on the header of this height
 * @param signal ends it; each question also ends by itself
 * @param check what an answer is checked with that takes time of its own, such as other questions: the peer has answered
 * by then. Throws like `ask`
 * @throws MolochError with the most telling code of honest refusals, else NO_ANSWER: what each peer did, in one line;
 * CONFLICTING_FINALITY and what else our own chain throws
 */
export async function askPeers<Answer>(
  ports: AskPeersPorts,
  what: string,
  height: number,
  ask: (peer: string, signal: AbortSignal) => Promise<Answer>,
  signal?: AbortSignal,
  check?: (answer: Answer) => Promise<void>
): Promise<Answer> {
  const refusals: MolochError[] = []
  const faults: string[] = []
  for (const peer of ports.holders(height).slice(0, MAX_ASKED)) {
    try {
      const answer = await withinAnswerTime((ends) => ask(peer, ends), signal)
      await check?.(answer)
      return answer
    } catch (error) {
      if (signal?.aborted === true || !(error instanceof MolochError) || OURS.includes(error.code)) throw error
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
