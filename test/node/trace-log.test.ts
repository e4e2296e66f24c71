import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { silentLog } from '../../src/log.ts'
import { defaultConfig } from '../../src/node/config/load.ts'
import { openTrace } from '../../src/node/trace-log.ts'
import type { TraceEvent } from '../../src/trace/event.ts'
import { TraceReader } from '../../src/trace/reader.ts'
import { tempDir } from '../support/temp-dir.ts'
import { waitFor } from '../support/until.ts'

const joined = (topic: string): TraceEvent => ({ type: 'JOIN', peerId: new Uint8Array([1]), timestamp: 1n, topic })

async function read(path: string): Promise<TraceEvent[]> {
  const events: TraceEvent[] = []
  for await (const event of new TraceReader(path)) events.push(event)
  return events
}

test('no trace is kept unless it is asked for', async () => {
  expect(await openTrace(defaultConfig(tempDir()), silentLog)).toBeUndefined()
})

test.each(['pb', 'pb.gz', 'ndjson', 'ndjson.gz'])('a relative path is one within the home; %s', async (format) => {
  const home = tempDir()
  const trace = await openTrace(defaultConfig(home, { 'trace.file': 'logs/gossip', 'trace.format': format }), silentLog)
  trace?.record(joined('a'))
  await trace?.close()
  expect(readdirSync(join(home, 'logs'))).toEqual([`gossip-000001.${format}`])
  expect(await read(join(home, 'logs', `gossip-000001.${format}`))).toEqual([joined('a')])
})

test('what is lost is warned of, once for many, and the trace says it too', async () => {
  const warnings: object[] = []
  const log = { ...silentLog, warn: (details: object) => void warnings.push(details) }
  const dir = tempDir()
  const path = join(dir, 'gossip')
  const trace = await openTrace(defaultConfig(tempDir(), { 'trace.file': path }), log, 50)
  // More than a record may have.
  for (let i = 0; i < 3; i++) trace?.record(joined('x'.repeat(5 << 20)))
  await waitFor(() => expect(warnings).toHaveLength(1))
  trace?.record(joined('a'))
  trace?.record(joined('x'.repeat(5 << 20)))
  await trace?.close()
  expect(warnings).toEqual([
    { trace: path, lost: 3, all: 3 },
    { trace: path, lost: 1, all: 4 }
  ])
  const events = await read(`${path}-000001.pb`)
  expect(events.filter(({ type }) => type === 'JOIN')).toEqual([joined('a')])
  expect(events.reduce((sum, event) => sum + (event.type === 'LOST' ? event.count : 0), 0)).toBe(4)
})

test.each([
  ['traces/', 'is a folder; a name in it such as /home/x/traces/gossip is accepted'],
  ['/traces/', 'is a folder; a name in it such as /traces/gossip is accepted'],
  ['.', 'is a folder; a name in it such as /home/x/gossip is accepted'],
  ['../gossip', 'leaves the home /home/x; a path within it or an absolute one is accepted']
])('trace.file %s is refused', async (file, why) => {
  const config = defaultConfig('/home/x', { 'trace.file': file })
  await expect(openTrace(config, silentLog)).rejects.toMatchObject({
    code: 'TRACE_FILE',
    message: `trace.file ${file} ${why}`
  })
})

test('two nodes cannot write the same files', async () => {
  const path = join(tempDir(), 'gossip')
  const first = await openTrace(defaultConfig(tempDir(), { 'trace.file': path }), silentLog)
  const second = openTrace(defaultConfig(tempDir(), { 'trace.file': path }), silentLog)
  await expect(second).rejects.toMatchObject({ code: 'TRACE_HELD' })
  await first?.close()
})
