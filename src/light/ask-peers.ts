import { hasCode, MolochError, messageOf } from '../error.ts'
import type { Log } from '../log.ts'
import { withinAnswerTime } from './answer-time.ts'
import { MAX_ASKED, type Needed } from './holders.ts'
import type { PeerPauses, Turn } from './peer-pauses.ts'

export interface AskPeersPorts {
  /** Peers that may have what is needed, in the order in which they are to be asked. */
  holders(needed: Needed): string[]
  penalise(peer: string, code: string, message: string): void
  /** One for all who ask these peers. */
  readonly pauses: PeerPauses
  readonly log: Log
}

/** After this a question waits for no peer any more that is at its limits: somebody waits for the answer. */
const WAIT_MS = 10_000

/** Codes with which an honest peer says that it cannot answer, the most telling first. */
const HONEST = ['ANCHOR_TOO_OLD', 'UNKNOWN_EVENT', 'UNAVAILABLE', 'NOT_READY', 'RATE_LIMITED', 'PEER_UNSUPPORTED']
/** What our own side says: no peer's fault, and no other peer's answer would change it. */
const OURS = ['BUSY', 'CONFLICTING_FINALITY', 'LEDGER_CLOSED', 'STORE_FAILED', 'STORE_CORRUPT']

/**
 * Asks one peer after the other until one answers with what holds. `ask` checks what it gets and throws the fault's code:
 * then that peer is blamed, and the next one asked. A peer that is at its limits is asked later, if no other one answers.
 * @param needed what is asked for rests on these blocks
 * @param signal ends it; each question also ends by itself
 * @param check what an answer is checked with that takes time of its own, such as other questions: the peer has answered
 * by then. Throws like `ask`
 * @throws MolochError with the most telling code of honest refusals, else NO_ANSWER: what each peer did, in one line;
 * BUSY if no peer could be asked in time;
 * CONFLICTING_FINALITY and what else our own chain throws
 */
export async function askPeers<Answer>(
  ports: AskPeersPorts,
  what: string,
  needed: Needed,
  ask: (peer: string, signal: AbortSignal) => Promise<Answer>,
  signal?: AbortSignal,
  check?: (answer: Answer) => Promise<void>
): Promise<Answer> {
  const refusals: MolochError[] = []
  const faults: string[] = []
  const deadline = performance.now() + WAIT_MS
  const left = new Set(ports.holders(needed).slice(0, MAX_ASKED))
  const limited = new Set<string>()
  while (left.size > 0) {
    // Some have said all that they can, and of the rest each wants us to wait.
    if (refusals.some(({ code }) => code !== 'RATE_LIMITED') && [...left].every((peer) => limited.has(peer))) break
    const turn =
      performance.now() > deadline ? undefined : await nextTurn(ports, [...left], deadline, refusals.length > 0, signal)
    if (turn === undefined) break
    const { peer } = turn
    try {
      const answer = await inTurn(turn, () => withinAnswerTime((ends) => ask(peer, ends), signal))
      await check?.(answer)
      return answer
    } catch (error) {
      if (signal?.aborted === true || !(error instanceof MolochError) || OURS.includes(error.code)) throw error
      if (HONEST.includes(error.code)) refusals.push(error)
      else faults.push(`${peer}: ${error.code}`)
      // Asked too much is not asked in vain.
      if (error.code === 'RATE_LIMITED') limited.add(peer)
      else left.delete(peer)
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

/** Undefined: none may be asked in time, and what others have said is the answer. @throws MolochError BUSY | ABORTED */
async function nextTurn(
  { pauses }: AskPeersPorts,
  peers: readonly string[],
  deadline: number,
  isAnswered: boolean,
  signal: AbortSignal | undefined
): Promise<Turn | undefined> {
  try {
    return await pauses.turn(peers, deadline, signal)
  } catch (error) {
    if (isAnswered && hasCode(error, 'BUSY')) return undefined
    throw error
  }
}

async function inTurn<Answer>(turn: Turn, ask: () => Promise<Answer>): Promise<Answer> {
  try {
    const answer = await ask()
    turn.end()
    return answer
  } catch (error) {
    turn.end(error)
    throw error
  }
}
