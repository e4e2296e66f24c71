import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { toHex } from '../../../src/codec/bytes.ts'
import { until } from '../../network/support/hosts.ts'
import { moloch } from '../support/run.ts'
import { type Running, running } from '../support/running.ts'
import { SmallNetwork } from './support.ts'

let network: SmallNetwork

beforeAll(async () => {
  network = await SmallNetwork.start(2)
  await until('blocks', () => network.node('full').height >= 2)
})
afterAll(() => network.stop())

interface Line {
  readonly type: string
  readonly topic: string
  readonly at: number
  readonly height: number
  readonly [field: string]: unknown
}

function lines({ out }: Running): Line[] {
  return out.map((line) => JSON.parse(line) as Line)
}

function heights(watch: Running, topic: string): number[] {
  return lines(watch).flatMap((line) => (line.topic === topic && line.type !== 'gap' ? [line.height] : []))
}

function url(name: string): Record<string, string> {
  return { MOLOCH_URL: network.node(name).apiUrl }
}

async function ended(watch: Running): Promise<void> {
  watch.signal()
  expect(await watch.done).toBe(0)
  expect(watch.err.filter((line) => line.includes('bug'))).toEqual([])
}

describe('watch', () => {
  test('what a reader that is behind would pile up is left out, and it is said how much that was', async () => {
    const watch = await running(['gossip', 'watch', '--json'], url('v1'))
    await until('a first block', () => heights(watch, 'finalized').length > 0)
    watch.behind = true
    const before = watch.out.length
    const { height } = network.node('v1')
    await until('two more blocks', () => network.node('v1').height >= height + 3)
    expect(watch.out).toHaveLength(before)
    watch.behind = false
    await until('what was left out', () => watch.err.some((line) => /^\d+ observations are left out: /.test(line)))
    await until('observations again', () => watch.out.length > before)
    await ended(watch)
  })

  test('every finalized height once, soon, with the rest of what is sent about it', async () => {
    const finalAt = new Map<number, number>()
    const look = setInterval(() => {
      const { height } = network.node('v1')
      if (!finalAt.has(height)) finalAt.set(height, Date.now())
    }, 2)
    const watch = await running(['gossip', 'watch', '--json'], url('v1'))
    await until('a first block', () => heights(watch, 'finalized').length > 0)
    const first = heights(watch, 'finalized')[0] as number
    await network.submit('full', 20)
    await until('ten blocks', () => heights(watch, 'finalized').length >= 10, 20_000)
    clearInterval(look)
    await ended(watch)

    const seen = lines(watch)
    const finalized = seen.filter(({ type }) => type === 'finalized')
    expect(finalized.map(({ height }) => height)).toEqual(finalized.map((_, i) => first + i))
    // Soon: before the third block after it.
    for (const { height, at } of finalized) {
      const later = finalAt.get((height as number) + 3)
      if (later !== undefined) expect(at).toBeLessThan(later)
    }
    expect(finalAt.size).toBeGreaterThan(5)
    expect(seen.filter(({ type }) => ['gap', 'left', 'rejected'].includes(type))).toEqual([])

    const api = network.node('v1').apiUrl
    for (const line of finalized) {
      const block = (await (await fetch(`${api}/v1/blocks/${line.height}`)).json()) as {
        hash: string
        header: { timestamp: number; event_count: number }
      }
      const { hash, header } = block
      expect(line).toMatchObject({ hash, block_timestamp: header.timestamp, event_count: header.event_count })
      expect(line).toMatchObject({ delay_ms: line.at - header.timestamp, from: network.node('v1').peerId })
      expect(line.signers).toEqual(['v1', 'v2'])
    }
    // Of the rest the proposals came too, and both validators' votes, but for what began before we came.
    for (const { height, hash } of finalized.slice(1)) {
      expect(seen).toContainEqual(expect.objectContaining({ type: 'new-block', height, hash }))
      const votes = seen.filter((line) => line.topic === 'vote' && line.height === height && line.hash === hash)
      const expected = ['prevote', 'precommit'].flatMap((type) => [`v1 ${type}`, `v2 ${type}`])
      expect(votes.map(({ type, validator }) => `${validator} ${type}`).sort()).toEqual(expected.sort())
    }
    const events = seen.filter(({ type }) => type === 'events').flatMap((line) => line.events as { event_id: string }[])
    expect(new Set(events.map(({ event_id }) => event_id)).size).toBe(20)
    expect(events).toHaveLength(20)
  })

  test('to honest nodes it is an observer at height 0, no source, and asked for nothing', async () => {
    const watch = await running(['gossip', 'watch', '--json', '--topic', 'finalized'], url('full'))
    await until('a few blocks', () => heights(watch, 'finalized').length >= 3)
    const { peers } = (await (await fetch(`${network.node('full').apiUrl}/v1/peers`)).json()) as {
      peers: Record<string, unknown>[]
    }
    const observer = peers.filter(({ mode }) => mode === 'OBSERVER')
    expect(observer).toEqual([
      expect.objectContaining({ claimed_height: 0, validator: null, penalty_points: 0, last_fault: null })
    ])
    await ended(watch)
  })

  test('one line a message for people', async () => {
    const ran = await moloch(['gossip', 'watch', '--count', '12'], { env: url('v1') })
    expect(ran.code).toBe(0)
    const shown = ran.out.split('\n').filter((line) => !/ (JOINED|GAP) /.test(line))
    expect(shown).toHaveLength(12)
    for (const line of shown)
      expect(line).toMatch(/^\d\d:\d\d:\d\d\.\d{3} {2}(new-block|prevote|precommit|finalized|header) /)
    const vote = / precommit {2}\d+\/0 {2}[0-9a-f]{10}… {2}by v[12] {2}\d+ B {2}\+\d+ ms {2}from v1$/
    expect(shown.some((line) => vote.test(line))).toBe(true)
    expect(ran.err).toMatch(/^observing gossip-[0-9a-f]{8} by way of \/ip4\/127.0.0.1\/tcp\/\d+\/p2p\//)
  })

  test('filters', async () => {
    const watch = async (...args: string[]) => {
      const ran = await moloch(['gossip', 'watch', '--json', '--count', '4', ...args], { env: url('v1') })
      expect(ran.code).toBe(0)
      return (
        ran.out
          .split('\n')
          .map((line) => JSON.parse(line) as Line)
          // Whatever is asked for: that it joined, and on a busy machine what it has missed.
          .filter(({ type }) => type !== 'joined' && type !== 'gap')
      )
    }
    const [topics, types, peer] = await Promise.all([
      watch('--topic', 'block,finalized'),
      watch('--type', 'prevote', '--type', 'finalized', '--count', '10'),
      watch('--peer', 'v1')
    ])
    expect(new Set(topics?.map(({ topic }) => topic))).toEqual(new Set(['block', 'finalized']))
    expect(new Set(types?.map(({ type }) => type))).toEqual(new Set(['prevote', 'finalized']))
    expect(peer).toHaveLength(4)
    const from = network.node('v1').height + 3
    const some = await watch('--height', `${from}-${from + 1}`, '--topic', 'finalized', '--count', '2')
    expect(some.map(({ height }) => height)).toEqual([from, from + 1])
    const nobody = await moloch(['gossip', 'watch', '--peer', 'v2', '--for', '1s'], { env: url('v1') })
    expect(nobody).toMatchObject({ code: 0, out: expect.stringMatching(/^[^\n]* JOINED [^\n]*$/) })
  })

  test('by a genesis file and addresses no API is asked', async () => {
    const { genesis } = network
    const file = `${network.folder}/genesis.json`
    const args = ['--genesis', file, network.address('full'), network.address('v2'), '--count', '3', '--json']
    const ran = await moloch(['gossip', 'watch', ...args], { env: { MOLOCH_URL: 'http://127.0.0.1:1' } })
    expect(ran).toMatchObject({ code: 0 })
    expect(ran.err).toContain(toHex(genesis.hash).slice(0, 8))
  })

  test('when its peer restarts, what was missed is told exactly', async () => {
    const watch = await running(['gossip', 'watch', '--json', network.address('full')], url('v1'))
    await until('a few blocks', () => heights(watch, 'finalized').length >= 3)
    await network.halt('full')
    await until('that no peer is left', () => lines(watch).some(({ type }) => type === 'left'))
    const away = network.node('v1').height
    await until('more blocks', () => network.node('v1').height >= away + 5)
    await network.run('full')
    const before = heights(watch, 'finalized').length
    await until('blocks again', () => heights(watch, 'finalized').length >= before + 3, 30_000)
    await ended(watch)

    const seen = lines(watch)
    const left = seen.find(({ type }) => type === 'left') as Line
    const joined = seen.filter(({ type }) => type === 'joined')
    expect(joined).toHaveLength(2)
    const outage = (joined[1] as Line).at - left.at
    const told = joined[1]?.disconnected_ms as number
    expect(told / outage).toBeGreaterThan(0.8)
    expect(told / outage).toBeLessThan(1.25)
    for (const topic of ['finalized', 'block', 'vote']) {
      const shown = new Set(heights(watch, topic))
      const gaps = seen.filter((line) => line.type === 'gap' && line.topic === topic)
      const missed = gaps.flatMap(({ from_height, heights: count }) =>
        Array.from({ length: count as number }, (_, i) => (from_height as number) + i)
      )
      for (const height of missed) expect(shown).not.toContain(height)
      // What gossip remembers when the peer is back comes late and is no gap; what is missed before the new mesh is made is
      // none of the outage's.
      for (const { disconnected_ms } of gaps) expect([null, joined[1]?.disconnected_ms]).toContain(disconnected_ms)
      const first = Math.min(...shown)
      const last = Math.max(...heights(watch, 'finalized'))
      const all = new Set([...shown, ...missed].filter((height) => height <= last))
      expect(all.size).toBe(last - first + 1)
    }
    expect(heights(watch, 'finalized')).toEqual([...new Set(heights(watch, 'finalized'))])
  })
})

describe('bad arguments: one line', () => {
  const cases: [string, string[], number, RegExp][] = [
    ['no multiaddr', ['127.0.0.1:9645'], 64, /127\.0\.0\.1:9645 is no address .*accepted: a multiaddr/],
    ['no topic', ['--topic', 'blocks'], 64, /--topic.*"blocks" is none; accepted: events, block, vote/],
    ['no type', ['--type', 'vote'], 64, /"vote" is none; accepted: events, new-block, prevote/],
    ['no height', ['--height', '9-3'], 64, /A height, FROM-TO or FROM- is accepted/],
    ['no count', ['--count', '0'], 64, /whole number from 1/],
    ['no time', ['--for', 'ever'], 64, /A time such as 90s/],
    ['no URL', ['--url', 'x'], 64, /"x" is no URL/],
    ['nobody at the URL', ['--url', 'http://127.0.0.1:1'], 1, /no node answers at http:\/\/127\.0\.0\.1:1/],
    ['no genesis', ['--genesis', '/none', '/ip4/127.0.0.1/tcp/1'], 1, /cannot read genesis \/none/]
  ]
  test.each(cases)('%s', async (_, args, code, message) => {
    const ran = await moloch(['gossip', 'watch', ...args])
    expect(ran).toMatchObject({ code, out: '', err: expect.stringMatching(message) })
    expect(ran.err).toMatch(/^moloch: [^\n]*$/)
  })

  test('nobody at the address', async () => {
    const args = ['--genesis', `${network.folder}/genesis.json`, '/ip4/127.0.0.1/tcp/1', '--for', '1s']
    const ran = await moloch(['gossip', 'watch', ...args])
    expect(ran).toMatchObject({ code: 1, out: '' })
    expect(ran.err.split('\n').at(-1)).toBe('moloch: no peer was reached within 1 s at /ip4/127.0.0.1/tcp/1')
  })
})
