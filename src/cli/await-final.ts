import { setTimeout as sleep } from 'node:timers/promises'
import { toHex } from '../codec/bytes.ts'
import { hasCode, MolochError } from '../error.ts'
import { batchesOf } from './batches.ts'
import type { ApiClient } from './client.ts'
import { isRefusedForNow, type Progress, postBatch, type Submitted } from './submit.ts'

/** Between questions to a node that holds no request, because its api.max_wait_ms is short or too many wait already. */
const PAUSE_MS = 250
/** Of one request: fetch gives up by itself after five minutes, and a node may hold one for ten. */
const LONGEST_REQUEST_MS = 240_000
/** Time for an answer that is on its way when the time to wait is over. */
const LAST_ANSWER_MS = 1000

/**
 * Waits until what is pending is final. A node answers after api.max_wait_ms at the latest, final or not, so it is asked
 * again: by submitting again, which changes nothing for an event that it has, and gives it back one that it lost.
 * @returns the same events in the same order; what is still pending was not final in time, or before the failure
 */
export async function awaitFinal(
  api: ApiClient,
  submitted: readonly Submitted[],
  timeoutMs: number
): Promise<Progress> {
  const end = performance.now() + timeoutMs
  const all = [...submitted]
  const pending = [...all.keys()].filter((index) => isPending(all[index] as Submitted))
  const waiting = batchesOf(pending.map((index) => ({ ...(all[index] as Submitted).event.fields, index })))
  for (let batch = waiting.shift(); batch !== undefined; batch = waiting.shift()) {
    const left = end - performance.now()
    if (left <= 0) break
    const asked = performance.now()
    const events = batch.map(({ index }) => (all[index] as Submitted).event)
    const requestMs = Math.min(left + LAST_ANSWER_MS, LONGEST_REQUEST_MS)
    try {
      const results = await postBatch(api, '/v1/events?wait=finalized', events, requestMs)
      for (const [i, { index }] of batch.entries()) {
        const { event } = all[index] as Submitted
        const result = results[i]
        // A node that takes nothing now has not forgotten what it took.
        if (result !== undefined && !isRefusedForNow(result)) all[index] = { event, result }
      }
    } catch (error) {
      if (!(error instanceof MolochError)) throw error
      // Else the node holds requests for longer than this one was given.
      if (!hasCode(error, 'NO_NODE') || performance.now() - asked < requestMs - 1)
        return { submitted: all, failure: error }
    }
    const still = batch.filter(({ index }) => isPending(all[index] as Submitted))
    if (still.length === 0) continue
    // Last, for the others are not to wait for one that does not come.
    waiting.push(still)
    const pause = Math.min(PAUSE_MS - (performance.now() - asked), end - performance.now())
    if (pause > 0) await sleep(pause)
  }
  return { submitted: all }
}

/** @throws MolochError NOT_FINAL, one line that names the first that is not */
export function assertFinal(submitted: readonly Submitted[], seconds: number): void {
  const pending = submitted.filter(isPending)
  const [first] = pending
  if (first === undefined) return
  throw new MolochError(
    'NOT_FINAL',
    `${pending.length} of ${submitted.length} events not final after ${seconds} s; the node still has them: moloch event get ${toHex(first.event.id)}`
  )
}

function isPending({ result }: Submitted): boolean {
  return 'status' in result && result.status === 'pending'
}
