import { MolochError } from '../error.ts'

/** A peer that is silent for this long is given up: another one is asked, and somebody waits for the answer. */
export const ANSWER_MS = 4_000

/**
 * Asks one peer, no longer than an answer may take.
 * @param ask ends at its signal
 * @param outer ends it sooner: then what `ask` throws is thrown
 * @throws MolochError PEER_TIMEOUT, and what `ask` throws
 */
export async function withinAnswerTime<Answer>(
  ask: (signal: AbortSignal) => Promise<Answer>,
  outer?: AbortSignal
): Promise<Answer> {
  const deadline = new AbortController()
  const abort = (): void => deadline.abort()
  const timer = setTimeout(abort, ANSWER_MS)
  outer?.addEventListener('abort', abort)
  if (outer?.aborted === true) abort()
  try {
    return await ask(deadline.signal)
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
