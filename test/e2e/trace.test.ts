import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import type { DevnetResult } from '../../src/devnet/result.ts'
import type { TraceEvent } from '../../src/trace/event.ts'
import { TraceReader } from '../../src/trace/reader.ts'
import { launch, project, temporary } from './support.ts'

const events = join(project, 'test/fixtures/commits.jsonl.gz')

test('a devnet of 8 nodes traces every event message to every node once, and loses no record', async () => {
  const dir = join(await temporary(), 'devnet')
  const args = ['--validators', '4', '--nodes', '4', '--until-height', '6', '--rate', '40', '--events', events]
  const { code, stdout, stderr } = await launch(['devnet', ...args, '--dir', dir, '--trace', '--json']).ended
  expect(stderr.split('\n').at(-2) ?? '').not.toMatch(/^moloch: /)
  expect(code).toBe(0)
  const result = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as DevnetResult
  const files = result.trace?.files ?? []
  expect(files.map((file) => basename(file, '-000001.pb')).sort()).toEqual(result.nodes.map(({ name }) => name).sort())
  expect(files.every((file) => file.startsWith(join(dir, 'traces')))).toBe(true)
  expect(stderr).toContain(`gossip traces: 9 files in ${join(dir, 'traces')}`)
  expect(stderr).toContain('Propagation delay (ms)')

  const nodes = new Map<string, TraceEvent[]>()
  for (const file of files) {
    const reader = new TraceReader(file)
    const all: TraceEvent[] = []
    for await (const event of reader) all.push(event)
    expect({ skipped: reader.skipped, torn: reader.torn }).toEqual({ skipped: 0, torn: undefined })
    expect(new Set(all.map(({ peerId }) => hex(peerId))).size).toBe(1)
    expect(all.filter(({ type }) => type === 'LOST')).toEqual([])
    nodes.set(basename(file, '-000001.pb'), all)
  }

  const published = new Map<string, string>()
  for (const [name, all] of nodes) {
    for (const id of eventMessages(all, 'PUBLISH_MESSAGE')) published.set(id, name)
  }
  expect(published.size).toBeGreaterThan(20)
  for (const [name, all] of nodes) {
    const [delivered, ignored] = [eventMessages(all, 'DELIVER_MESSAGE'), eventMessages(all, 'REJECT_MESSAGE')]
    const judged = [...delivered, ...ignored].sort()
    expect(new Set(judged).size).toBe(judged.length)
    // It was not there when most were published.
    if (name === 'late') continue
    const others = [...published].filter(([, publisher]) => publisher !== name).map(([id]) => id)
    // Ignored where the block that has the event came first, which is rare.
    expect(judged).toEqual(others.sort())
    expect(delivered.length).toBeGreaterThan(others.length * 0.9)
    expect(all.filter(({ type }) => JUDGED.has(type)).length).toBeLessThanOrEqual(copies(all))
  }
  const of = (type: TraceEvent['type']): number =>
    [...nodes.values()].reduce((sum, all) => sum + all.filter((event) => event.type === type).length, 0)
  // The merged report counts what the files have.
  const all = result.trace?.stats.all
  expect(result.trace?.stats).toMatchObject({ lost_records: 0, lower_bounds: false })
  expect(all?.published).toBe(of('PUBLISH_MESSAGE'))
  expect(all?.delivered).toBe(of('DELIVER_MESSAGE'))
  expect(all?.duplicates).toBe(of('DUPLICATE_MESSAGE'))
  expect(of('RECV_RPC')).toBeGreaterThan(0)
  // What was under way when a node stopped was not received.
  expect(of('RECV_RPC')).toBeLessThanOrEqual(of('SEND_RPC'))
})

const JUDGED: ReadonlySet<string> = new Set(['DELIVER_MESSAGE', 'DUPLICATE_MESSAGE', 'REJECT_MESSAGE'])

function eventMessages(
  all: readonly TraceEvent[],
  type: 'PUBLISH_MESSAGE' | 'DELIVER_MESSAGE' | 'REJECT_MESSAGE'
): string[] {
  return all.flatMap((event) =>
    event.type === type && event.topic.endsWith('/events/1') ? [hex(event.messageId)] : []
  )
}

/** Messages that came, each as often as it did. */
function copies(all: readonly TraceEvent[]): number {
  return all.reduce((sum, event) => sum + (event.type === 'RECV_RPC' ? event.meta.messages.length : 0), 0)
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
