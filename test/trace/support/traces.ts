import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { TraceEvent } from '../../../src/trace/event.ts'
import { TraceReader } from '../../../src/trace/reader.ts'

export async function eventsOf(source: AsyncIterable<TraceEvent>): Promise<TraceEvent[]> {
  const events: TraceEvent[] = []
  for await (const event of source) events.push(event)
  return events
}

/** The files of a folder, in order, but for a writer's lock. */
export function filesIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((file) => !file.startsWith('.'))
    .sort()
    .map((file) => join(folder, file))
}

/** The events of each file of a folder; throws if one is not whole. */
export async function tracesIn(folder: string): Promise<TraceEvent[][]> {
  const traces: TraceEvent[][] = []
  for (const path of filesIn(folder)) {
    const reader = new TraceReader(path)
    traces.push(await eventsOf(reader))
    if (reader.torn !== undefined) throw new Error(`${path} is torn`)
  }
  return traces
}

const peerId = Uint8Array.of(0, 36, 1, 2, 3)
const receivedFrom = Uint8Array.of(0, 36, 4, 5, 6)

/** The i-th of many events, as gossip makes most of. */
export function numbered(i: number): TraceEvent {
  const messageId = new Uint8Array(32)
  new DataView(messageId.buffer).setUint32(0, Math.imul(i, 0x9e37_79b1) >>> 0)
  const timestamp = 1_764_000_000_000_000_001n + BigInt(i)
  return { type: 'DELIVER_MESSAGE', peerId, timestamp, messageId, topic: '/moloch/1/blocks', receivedFrom }
}

/** How many events the LOST records among these speak for, and how many others there are. */
export function tally(events: readonly TraceEvent[]): { events: number; lost: number } {
  let lost = 0
  let others = 0
  for (const event of events) {
    if (event.type === 'LOST') lost += event.count
    else others++
  }
  return { events: others, lost }
}
