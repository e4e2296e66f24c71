import '../../src/polyfill.ts'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { CheckedEvent } from '../../src/chain/event.ts'
import { hashEvents } from '../../src/chain/event-hashes.ts'
import { EventBody, Outcome, SignedEvent } from '../../src/codec/generated/event.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { silentLog } from '../../src/log.ts'
import { ChainMaker } from '../../test/support/chain-maker.ts'
import { peakMemory } from './peak-memory.ts'
import { answer } from './processes.ts'

// Makes a chain of many keys, or builds its snapshot, in a process of its own.

/** The state is written at each block. */
const TUNING = { stateWork: 1000 }

export interface Built {
  readonly height: number
  readonly seconds: number
  readonly bytes: number
  readonly chunks: number
  readonly openSeconds: number
  readonly peakRss: number
  readonly rssBefore: number
  readonly loopDelayMax: number
}

/** @param intervalMs between blocks: the ids of all events that are within the event window are in memory */
function makerOf(height: number, intervalMs: number): ChainMaker {
  return new ChainMaker({
    validators: 1,
    actors: 0,
    intervalMs,
    params: { snapshotInterval: height, maxBlockBytes: 2 << 20 }
  })
}

/** Whose signature nobody looks at: a signature for each of a million events would take a minute. */
function eventsOf(first: number, count: number, timestamp: number): CheckedEvent[] {
  const encoded = Array.from({ length: count }, (_, i) => {
    const body = EventBody.encode({
      timestamp,
      action: `action-${i % 4}`,
      resource: { kind: 'document', id: `archive/${first + i}` },
      outcome: Outcome.SUCCESS,
      metadata: []
    })
    return SignedEvent.encode({ body, actor: new Uint8Array(32).fill(i % 50), signature: new Uint8Array(64).fill(1) })
  })
  const { eventIds } = hashEvents(encoded)
  return encoded.map((bytes, i) => ({ bytes, id: eventIds.slice(32 * i, 32 * i + 32) }) as unknown as CheckedEvent)
}

async function openAt(home: string, height: number, intervalMs: number): Promise<Ledger> {
  const { genesis } = makerOf(height, intervalMs)
  const snapshots = { folder: join(home, 'snapshots'), keep: 1 }
  return Ledger.open({ path: join(home, 'chain'), genesis, log: silentLog, tuning: TUNING, snapshots })
}

answer({
  /** A chain whose snapshot at `height` has `keys` resources. */
  make: async (home: string, keys: number, height: number, intervalMs: number): Promise<void> => {
    const maker = makerOf(height, intervalMs)
    const ledger = await openAt(home, height, intervalMs)
    let made = 0
    while (ledger.tip.height < height) {
      const left = height - 1 - ledger.tip.height
      const count = left === 0 ? 0 : Math.ceil((keys - made) / left)
      const { failure } = await ledger.apply([maker.next(eventsOf(made, count, maker.nextTimestamp))])
      if (failure !== undefined) throw new Error(failure.failure.message)
      made += count
    }
    await ledger.close()
  },
  build: async (home: string, height: number, intervalMs: number): Promise<Built> => {
    const opened = performance.now()
    const ledger = await openAt(home, height, intervalMs)
    const openSeconds = (performance.now() - opened) / 1000
    const rssBefore = process.memoryUsage.rss()
    const delay = monitorEventLoopDelay({ resolution: 1 })
    delay.enable()
    const started = performance.now()
    const built = await ledger.snapshots?.build()
    const seconds = (performance.now() - started) / 1000
    const held = ledger.snapshots?.held(height)
    if (built !== height || held === undefined) throw new Error(`no snapshot of block ${height} was built`)
    await ledger.close()
    const { length: bytes, chunks } = held.file
    const loopDelayMax = delay.max / 1e6
    return { height, seconds, bytes, chunks, openSeconds, peakRss: peakMemory(), rssBefore, loopDelayMax }
  }
})
