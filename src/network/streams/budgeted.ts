import { ipOf } from '../addresses.ts'
import { networkError } from '../errors.ts'
import type { ServingBudget } from '../serving-budget.ts'
import type { Handler } from './server.ts'

/**
 * A handler of long answers under the budget of all peers: it begins when there is a place, each frame waits for its turn,
 * and it ends early, with what a prefix is worth, when it takes `serveMs`: a reader that dawdles must not keep a place.
 */
export function budgeted(handler: Handler, budget: ServingBudget, serveMs: number): Handler {
  return async function* (request, asker) {
    const place = budget.enter(asker.peerId, ipOf(asker.connection.remoteAddr) ?? asker.peerId)
    if (!place.ok) {
      throw networkError('RATE_LIMITED', 'many peers ask this node', { retryAfterMs: place.retryAfterMs })
    }
    asker.onGone(place.leave)
    const end = performance.now() + serveMs
    try {
      for await (const frame of handler(request, asker)) {
        await place.turn(frame.byteLength)
        yield frame
        if (performance.now() > end) return
      }
    } finally {
      place.leave()
    }
  }
}
