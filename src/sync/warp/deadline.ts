import { MolochError } from '../../error.ts'

/**
 * Runs `ask` with a signal that fires when time is up or `outer` does.
 * @throws what `ask` throws; MolochError UNANSWERED if it threw because time was up: that is our patience, not the peer's fault
 */
export async function within<Answer>(
  ms: number,
  outer: AbortSignal,
  ask: (signal: AbortSignal) => Promise<Answer>
): Promise<Answer> {
  const deadline = new AbortController()
  const abort = (): void => deadline.abort()
  const timer = setTimeout(abort, ms)
  outer.addEventListener('abort', abort)
  try {
    if (outer.aborted) abort()
    return await ask(deadline.signal)
  } catch (error) {
    if (!deadline.signal.aborted || outer.aborted) throw error
    throw new MolochError('UNANSWERED', `no answer within ${ms} ms`)
  } finally {
    clearTimeout(timer)
    outer.removeEventListener('abort', abort)
  }
}
