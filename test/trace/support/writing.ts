import { join } from 'node:path'
import { silentLog } from '../../../src/log.ts'
import type { TraceEvent } from '../../../src/trace/event.ts'
import { TraceWriter, type TraceWriterOptions } from '../../../src/trace/writer.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { numbered } from './traces.ts'

/** So long that only what is full, and `close`, has anything written. */
const NEVER = 2 ** 31 - 1

/** A writer into a folder of its own. */
export async function open(
  options: Partial<TraceWriterOptions> = {}
): Promise<{ folder: string; writer: TraceWriter }> {
  const folder = options.folder ?? join(tempDir(), 'traces')
  const writer = await TraceWriter.open({ format: 'pb', flushMs: NEVER, log: silentLog, ...options, folder })
  return { folder, writer }
}

export function record(writer: TraceWriter, from: number, to: number): void {
  for (let i = from; i < to; i++) writer.record(numbered(i))
}

export function range(from: number, to: number): TraceEvent[] {
  return Array.from({ length: to - from }, (_, i) => numbered(from + i))
}
