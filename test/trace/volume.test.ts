/** Traces that are much larger than what writing or reading them may take in memory. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { silentLog } from '../../src/log.ts'
import { mergeTraces } from '../../src/trace/merge.ts'
import { encodeProtobuf } from '../../src/trace/protobuf.ts'
import { TraceReader } from '../../src/trace/reader.ts'
import { TraceWriter } from '../../src/trace/writer.ts'
import { tempDir } from '../support/temp-dir.ts'
import { filesIn, numbered } from './support/traces.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** What is in use, in MiB. */
function used(): number {
  collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return (heapUsed + arrayBuffers) / 2 ** 20
}

const MILLION = 1_000_000
const STEP = 20_000

it('writes and reads a million events in the memory of a few', async () => {
  const folder = join(tempDir(), 'traces')
  const writer = await TraceWriter.open({ folder, format: 'pb', maxFileBytes: 48 << 20, log: silentLog })
  const before = used()
  let most = before
  for (let i = 0; i < MILLION; i += STEP) {
    for (let j = i; j < i + STEP; j++) writer.record(numbered(j))
    while (i + STEP - writer.stats.written > STEP) await setImmediate()
    if (i % (10 * STEP) === 0) most = Math.max(most, used())
  }
  await writer.close()
  expect(writer.stats).toMatchObject({ recorded: MILLION, written: MILLION, lost: 0, errors: 0 })
  const files = filesIn(folder)
  expect(files).toHaveLength(2)

  let events = 0
  let expected = numbered(0).timestamp
  for await (const { timestamp } of mergeTraces(files.map((file) => new TraceReader(file)))) {
    if (timestamp !== expected++) throw new Error(`event ${events} is at ${timestamp}`)
    if (++events % (10 * STEP) === 0) most = Math.max(most, used())
  }
  expect(events).toBe(MILLION)
  // The trace has 90 MiB; of what is written 4 MiB may wait.
  expect(most - before).toBeLessThan(16)
})

it('reads what unpacks to a thousand times its size in the memory of a few pieces', async () => {
  const path = join(tempDir(), 'trace.pb.gz')
  const record = encodeProtobuf({ type: 'JOIN', peerId: new Uint8Array(), timestamp: 0n, topic: ' '.repeat(100_000) })
  writeFileSync(path, gzipSync(Buffer.concat(Array.from({ length: 2000 }, () => record))))
  const before = used()
  let most = before
  let events = 0
  for await (const _ of new TraceReader(path)) if (++events % 100 === 0) most = Math.max(most, used())
  expect(events).toBe(2000)
  expect(most - before).toBeLessThan(48)
})
