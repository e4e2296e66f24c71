import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { GossipMeasures } from '../../src/trace/measures/gossip-measures.ts'
import { mergeTraces } from '../../src/trace/merge.ts'
import { statsOfTopic } from '../../src/trace/report/of-topic.ts'
import { TraceSources } from '../../src/trace/sources.ts'
import { tempDir } from '../support/temp-dir.ts'

function file(dir: string, name: string, ...times: number[]): string {
  const path = join(dir, name)
  const lines = times.map((timestamp) => JSON.stringify({ type: 9, peerID: 'AAA=', timestamp, join: { topic: name } }))
  writeFileSync(path, `${lines.join('\n')}\n`)
  return path
}

async function times(paths: readonly string[]): Promise<number[]> {
  const events: number[] = []
  for await (const { timestamp } of mergeTraces(new TraceSources(paths).events())) events.push(Number(timestamp))
  return events
}

test('files of one writer are one source, in their order; others are merged with it by time', async () => {
  const dir = tempDir()
  const [second, first] = [file(dir, 'a-000010.ndjson', 5, 9), file(dir, 'a-000009.ndjson', 1, 3)]
  const other = file(dir, 'other.ndjson', 2, 6)
  const sources = new TraceSources([second, other, first, second])
  expect(sources.readers.map(({ path }) => path)).toEqual([first, second, other])
  expect(sources.events()).toHaveLength(2)
  expect(await times([second, other, first, second])).toEqual([1, 2, 3, 5, 6, 9])
})

test('files of the same number and another name or folder are of other writers', async () => {
  const [dir, elsewhere] = [tempDir(), tempDir()]
  const paths = [
    file(dir, 'a-000001.ndjson', 4),
    file(dir, 'b-000001.ndjson', 3),
    file(elsewhere, 'a-000001.ndjson', 2)
  ]
  expect(new TraceSources(paths).events()).toHaveLength(3)
  expect(await times(paths)).toEqual([2, 3, 4])
})

test('a file that ends early is read to its end; one that has no record at all is no trace', async () => {
  const dir = tempDir()
  const torn = file(dir, 'torn.ndjson', 1)
  writeFileSync(torn, '{"type":9', { flag: 'a' })
  expect(await times([torn])).toEqual([1])
  const none = join(dir, 'none.ndjson')
  writeFileSync(none, '{"type":9')
  await expect(times([torn, none])).rejects.toMatchObject({ code: 'TRACE_MALFORMED' })
})

test('the stats of one topic, by its name or the short one', () => {
  const measures = new GossipMeasures()
  const at = { peerId: new Uint8Array(2), timestamp: 1n }
  for (const topic of ['/moloch/x-1/vote/1', '/moloch/x-1/block/1', '/moloch/y-2/block/1', 'vote.x']) {
    measures.add({ ...at, type: 'JOIN', topic })
    measures.add({ ...at, type: 'GRAFT', topic, peer: new Uint8Array(3) })
  }
  const stats = measures.result()
  expect(stats.all.mesh_churn.grafts).toBe(4)
  const vote = statsOfTopic(stats, 'vote')
  expect(vote?.topics.map(({ topic }) => topic)).toEqual(['/moloch/x-1/vote/1'])
  expect(vote?.all.mesh_churn.grafts).toBe(1)
  expect(statsOfTopic(stats, 'vote.x')?.topics).toHaveLength(1)
  expect(statsOfTopic(stats, '/moloch/y-2/block/1')?.topics).toHaveLength(1)
  // Of two chains: it could mean either.
  expect(statsOfTopic(stats, 'block')).toBeUndefined()
  expect(statsOfTopic(stats, 'none')).toBeUndefined()
})
