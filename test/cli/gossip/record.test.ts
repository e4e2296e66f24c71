import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { scope } from '../../../src/chain/genesis.ts'
import type { GossipStats } from '../../../src/trace/measures/gossip-stats.ts'
import { until } from '../../network/support/hosts.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { moloch } from '../support/run.ts'
import { running } from '../support/running.ts'
import { SmallNetwork } from './support.ts'

let network: SmallNetwork

beforeAll(async () => {
  network = await SmallNetwork.start(2)
  await until('blocks', () => network.node('full').height >= 2)
})
afterAll(() => network.stop())

/** As the node sees it that recorders connect to. */
async function eventsTopic(): Promise<{ mesh: string[]; subscribers: string[] }> {
  const answer = await fetch(`${network.node('full').apiUrl}/v1/gossip/topics`)
  const { topics } = (await answer.json()) as { topics: { topic: string; mesh: string[]; subscribers: string[] }[] }
  return topics.find(({ topic }) => topic === 'events') ?? { mesh: [], subscribers: [] }
}

describe('record, then stats', () => {
  test.each(['pb', 'pb.gz', 'ndjson', 'ndjson.gz'])('%s', async (format) => {
    const out = join(tempDir(), 'traces', 'observer')
    const env = { MOLOCH_URL: network.node('full').apiUrl }
    const known = new Set((await eventsTopic()).subscribers)
    const record = await running(['gossip', 'record', '--out', out, '--format', format, '--json'], env)
    // Events that are sent before that come by gossip's lazy way, or not at all.
    await until('the recorder in the mesh', async () => (await eventsTopic()).mesh.some((peer) => !known.has(peer)))
    const { height } = network.node('v1')
    // By the node that the recorder hears: another's may be in a block by the time they come, and go no further.
    await network.submit('full', 5)
    await until('some blocks', () => network.node('v1').height >= height + 5)
    record.signal()
    expect(await record.done).toBe(0)
    const result = JSON.parse(record.out.join('\n'))
    expect(result).toMatchObject({ lost: 0, written: result.records, files: [`${out}-000001.${format}`] })
    expect(result.bytes).toBe(readFileSync(result.files[0]).byteLength)
    expect(result.kept_bytes).toBe(result.bytes)
    const kept = `${result.bytes} of them kept in 1 files`
    expect(record.err.at(-1)).toBe(`${result.records} records, ${result.bytes} bytes, ${kept}, 0 records lost`)

    const ran = await moloch(['gossip', 'stats', ...result.files, '--json'])
    expect(ran).toMatchObject({ code: 0, err: '' })
    const stats = JSON.parse(ran.out) as GossipStats
    expect(stats).toMatchObject({ records: result.records, lost_records: 0, lower_bounds: false })
    expect(stats.nodes).toHaveLength(1)
    const topic = (name: string) =>
      stats.topics.find((one) => one.topic === `/moloch/${scope(network.genesis)}/${name}/1`)
    expect(topic('finalized')?.delivered).toBeGreaterThanOrEqual(3)
    expect(topic('vote')?.delivered).toBeGreaterThanOrEqual(3 * 4)
    // Some came together.
    expect(topic('events')?.delivered).toBeGreaterThanOrEqual(1)
    // They come, and go no further: the root that comes with a header is nothing that an observer can check.
    expect(topic('header')?.rejected_by_reason).toEqual({ 'validation ignored': expect.any(Number) })
    expect(topic('header')?.rejected).toBeGreaterThanOrEqual(3)
  })

  test('files are ended in time, the last few are kept, and stats takes them as one trace', async () => {
    const out = join(tempDir(), 'observer')
    const limits = ['--max-file-bytes', '8192', '--keep', '2']
    const record = await running(['gossip', 'record', network.address('v1'), '--out', out, ...limits], {
      MOLOCH_URL: network.node('v1').apiUrl
    })
    await until('more than two files', () => existsSync(`${out}-000003.pb`), 60_000)
    record.signal()
    expect(await record.done).toBe(0)
    expect(record.out).toHaveLength(2)
    const [, bytes, kept] = / (\d+) bytes, (\d+) of them kept in 2 files, /.exec(record.err.at(-1) ?? '') ?? []
    expect(Number(kept)).toBe(record.out.reduce((sum, file) => sum + statSync(file).size, 0))
    expect(Number(bytes)).toBeGreaterThan(Number(kept))
    expect(record.out).toEqual(readdirSync(join(out, '..')).map((file) => join(out, '..', file)))
    const { code, out: report } = await moloch(['gossip', 'stats', ...record.out.reverse()])
    expect({ code, report }).toMatchObject({ code: 0, report: expect.stringMatching(/ records of 1 node and /) })
  })

  test('report, tables and plots, of all topics or one', async () => {
    const dir = tempDir()
    const env = { MOLOCH_URL: network.node('v1').apiUrl }
    const recorded = await moloch(['gossip', 'record', '--out', join(dir, 'o'), '--for', '2s'], { env })
    expect(recorded.code).toBe(0)
    const files = recorded.out.split('\n')
    const [csv, plots] = [join(dir, 'deep', 'csv'), join(dir, 'plots')]
    const ran = await moloch(['gossip', 'stats', ...files, '--csv', csv, '--plots', plots])
    expect(ran).toMatchObject({ code: 0, err: expect.stringMatching(/^\d+ tables in .*\n5 plots in /) })
    expect(ran.out).toMatch(/^Propagation delay \(ms\)$/m)
    expect(readdirSync(csv)).toContain('summary.csv')
    expect(readdirSync(plots).filter((file) => file.endsWith('.svg'))).toHaveLength(5)
    expect(readFileSync(join(plots, 'propagation-delay-cdf.png')).subarray(1, 4).toString()).toBe('PNG')

    const one = JSON.parse((await moloch(['gossip', 'stats', ...files, '--json', '--topic', 'vote'])).out)
    expect(one.topics).toHaveLength(1)
    expect(one.all.delivered).toBe(one.topics[0].delivered)
    const text = await moloch(['gossip', 'stats', ...files, '--topic', one.topics[0].topic])
    expect(text.out).not.toContain('/finalized/')
  })
})

describe('bad arguments: one line', () => {
  const cases: [string, string[], number, RegExp][] = [
    ['record: nowhere to write', ['record'], 64, /required option '--out <prefix>'/],
    ['record: a form that is none', ['record', '--out', 'x', '--format', 'csv'], 64, /pb, pb\.gz, ndjson, ndjson\.gz/],
    ['record: files too small', ['record', '--out', 'x', '--max-file-bytes', '1'], 64, /from 4096/],
    ['record: a folder', ['record', '--out', 'x/', '--genesis', '@genesis', '/ip4/127.0.0.1/tcp/1'], 64, /is a folder/],
    [
      'record: a folder that cannot be',
      ['record', '--out', '@genesis/x', '--genesis', '@genesis', '/ip4/127.0.0.1/tcp/1'],
      1,
      /cannot write traces to/
    ],
    ['stats: no file', ['stats'], 64, /missing required argument 'file'/],
    ['stats: not there', ['stats', '/none'], 1, /cannot read \/none/],
    ['stats: a folder', ['stats', '@dir'], 1, /cannot read .*EISDIR/],
    ['stats: no trace', ['stats', '@genesis'], 1, /genesis\.json has no whole record/],
    ['stats: no such topic', ['stats', '@trace', '--topic', 'x'], 1, /no topic "x", or several; they have "t"/],
    ['stats: no folder for tables', ['stats', '@trace', '--csv', '@genesis'], 1, /EEXIST/]
  ]
  test.each(cases)('%s', async (_, args, code, message) => {
    const dir = tempDir()
    mkdirSync(join(dir, 'sub'))
    writeFileSync(join(dir, 't.ndjson'), '{"type":9,"peerID":"AAA=","timestamp":1,"join":{"topic":"t"}}\n')
    const places: Record<string, string> = {
      '@genesis': join(network.folder, 'genesis.json'),
      '@dir': join(dir, 'sub'),
      '@trace': join(dir, 't.ndjson')
    }
    const given = args.map((arg) => arg.replace(/@[a-z]+/, (name) => places[name] ?? name))
    const ran = await moloch(['gossip', ...given])
    expect(ran).toMatchObject({ code, out: '', err: expect.stringMatching(message) })
    expect(ran.err).toMatch(/^moloch: [^\n]*$/)
  })
})
