/** One batch of events to one node, and what became of each. */
import type { CheckedEvent } from '../chain/event.ts'
import { toHex } from '../codec/bytes.ts'
import { MolochError } from '../error.ts'
import type { ApiClient } from './api-client.ts'

export interface Refusal {
  readonly code: string
  readonly message: string
}

/** `pending`: taken, not yet final. `later`: not taken now, but may be. */
export type Outcome = 'finalized' | 'pending' | 'later' | Refusal

/** Above the longest wait of the API (30 s by default). */
const TIMEOUT_MS = 60_000
/** Refusals that pass by themselves. */
const PASSING = new Set(['MEMPOOL_FULL', 'BUSY', 'SYNCING', 'NO_PEERS', 'STORE_FAILED'])
/** The event is there; only nobody waits for it. */
const TAKEN = new Set(['TOO_MANY_WAITERS'])

/**
 * Submits events and waits until they are final (or the node's longest wait is over).
 * @throws MolochError API_UNREACHABLE, API_REFUSED: nothing is known of any of them
 */
export async function submitBatch(
  api: ApiClient,
  events: readonly CheckedEvent[],
  signal: AbortSignal
): Promise<Outcome[]> {
  const body = {
    events: events.map(({ body, actor, signature }) => ({
      body: Buffer.from(body).toString('base64'),
      actor: toHex(actor),
      signature: toHex(signature)
    }))
  }
  const answer = await api
    .post('/v1/events?wait=finalized', body, { timeoutMs: TIMEOUT_MS, signal })
    .catch((error: unknown) => {
      // Nothing of the batch was taken, and the problem says why for each.
      if (error instanceof MolochError && Array.isArray(error.details.results)) return error.details
      throw error
    })
  const results = (answer as { results?: unknown }).results
  if (!Array.isArray(results) || results.length !== events.length) {
    throw new MolochError('API_REFUSED', `${api.url} answered ${events.length} events with something else than results`)
  }
  return results.map(outcomeOf)
}

function outcomeOf(result: { status?: unknown; code?: unknown; message?: unknown }): Outcome {
  if (result.status === 'finalized' || result.status === 'pending') return result.status
  const code = String(result.code)
  if (PASSING.has(code)) return 'later'
  if (TAKEN.has(code)) return 'pending'
  return { code, message: String(result.message) }
}
