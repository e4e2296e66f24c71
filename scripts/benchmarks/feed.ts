import { setTimeout as sleep } from 'node:timers/promises'
import { fromHex } from '../../src/codec/bytes.ts'
import type { Devnet } from '../../src/devnet/devnet.ts'
import type { EventInput } from '../../src/devnet/event-input.ts'
import { synthetic } from '../../src/devnet/event-sources.ts'
import { Feeder } from '../../src/devnet/feeder.ts'
import type { Latencies } from '../../src/devnet/latency.ts'

export interface Feed {
  /** Events a second. */
  readonly rate: number
  readonly seconds: number
  /** Another one each time, for other events. */
  readonly seed: number
}

/** The last events may take this long to be final. */
const PATIENCE_MS = 60_000
const POLL_MS = 50

/**
 * Feeds a devnet's validators at a steady rate and waits until every event is final: were those left out that are not
 * when the time is over, the longest latencies would be missing.
 */
export async function feed(devnet: Devnet, { rate, seconds, seed }: Feed): Promise<Latencies> {
  const validators = devnet.nodes.filter(({ role }) => role === 'validator')
  const [first] = validators
  if (first === undefined) throw new Error('a devnet without validators')
  const { genesis_hash } = await devnet.status(first.name)
  const count = rate * seconds
  const feeder = new Feeder({
    events: some(synthetic(seed), count),
    rate,
    genesisHash: fromHex(genesis_hash, 32) as Uint8Array,
    seed,
    targets: validators.map(({ api }) => api)
  })
  feeder.start()
  try {
    const until = performance.now() + seconds * 1000 + PATIENCE_MS
    while (feeder.stats().finalized < count) {
      const { finalized, refused } = feeder.stats()
      const failure = feeder.failure ?? devnet.unexpectedExit()
      if (failure !== undefined) throw failure
      if (refused > 0) throw new Error(`${refused} events of the feed were refused`)
      if (performance.now() > until) throw new Error(`${finalized} of ${count} events are final, and time is up`)
      await sleep(POLL_MS)
    }
  } finally {
    await feeder.stop()
  }
  return feeder.latencies
}

async function* some(events: Iterable<EventInput>, count: number): AsyncGenerator<EventInput> {
  let left = count
  for (const event of events) {
    if (left-- === 0) return
    yield event
  }
}
