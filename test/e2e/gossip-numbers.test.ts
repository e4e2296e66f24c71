import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import { signEvent } from '../../src/chain/event.ts'
import { fromHex } from '../../src/codec/bytes.ts'
import { Outcome } from '../../src/codec/generated/event.ts'
import { keyPairFromSeed } from '../../src/crypto/ed25519.ts'
import type { Devnet } from '../../src/devnet/devnet.ts'
import { submitBatch } from '../../src/devnet/submit.ts'
import type { TopicCounts } from '../../src/network/gossip-counters.ts'
import { measureFiles } from '../../src/trace/measure-files.ts'
import { eventually, network, temporary } from './support.ts'

const EVENTS = 8
const ACTOR = keyPairFromSeed(new Uint8Array(32).fill(9))

/** One event, and so one message of the events topic, through one node; final when this resolves. */
async function submit(devnet: Devnet, genesisHash: Uint8Array, number: number): Promise<void> {
  const node = devnet.nodes[number % devnet.nodes.length]
  if (node === undefined) throw new Error('a devnet of no nodes')
  const event = signEvent(genesisHash, ACTOR, {
    timestamp: Date.now(),
    action: 'login',
    resource: { kind: 'account', id: `${number}` },
    outcome: Outcome.SUCCESS,
    metadata: []
  })
  expect(await submitBatch(node.api, [event], new AbortController().signal)).toEqual(['finalized'])
}

/** What gossipsub at each node has counted of the events topic. */
async function countsOf(devnet: Devnet): Promise<TopicCounts[]> {
  const answers = await Promise.all(devnet.nodes.map(({ api }) => api.get('/v1/gossip/stats')))
  return (answers as { topics: { events: TopicCounts } }[]).map(({ topics }) => topics.events)
}

test('of 8 nodes the traces, their own counters and the load say the same', async () => {
  const trace = join(await temporary(), 'traces')
  const devnet = await network({ validators: 4, nodes: 4, late: false, trace })
  await devnet.start()
  const genesisHash = fromHex((await devnet.status('validator-1')).genesis_hash, 32) as Uint8Array
  for (let i = 0; i < EVENTS; i++) await submit(devnet, genesisHash, i)
  // The last copies are on their way when the event is final already.
  let [before, same] = ['', 0]
  await eventually(
    'the events topic to be quiet',
    async () => {
      const now = JSON.stringify(await countsOf(devnet))
      same = now === before ? same + 1 : 0
      before = now
      return same >= 5
    },
    30_000
  )
  const counted = await countsOf(devnet)
  await devnet.stop()

  const sum = (name: keyof TopicCounts): number => counted.reduce((total, counts) => total + counts[name], 0)
  // The load: each event is one message of one node, and comes to each of the seven others as new once.
  expect(sum('published')).toBe(EVENTS)
  for (const { published, accepted, ignored, rejected } of counted) {
    expect({ new: published + accepted + ignored, rejected }).toEqual({ new: EVENTS, rejected: 0 })
  }
  const files = devnet.traces ?? []
  const warnings: string[] = []
  for (const [i, { name }] of devnet.nodes.entries()) {
    const own = files.filter((file) => basename(file).startsWith(`${name}-0`))
    const stats = await measureFiles(own, (line) => warnings.push(line))
    const topic = stats.topics.find((one) => one.topic.endsWith('/events/1'))
    const { published, accepted, ignored, rejected, duplicates } = counted[i] as TopicCounts
    expect({
      published: topic?.published,
      delivered: topic?.delivered,
      rejected: topic?.rejected,
      duplicates: topic?.duplicates
    }).toEqual({ published, delivered: accepted, rejected: ignored + rejected, duplicates })
  }
  const all = await measureFiles(files, (line) => warnings.push(line))
  const topic = all.topics.find((one) => one.topic.endsWith('/events/1'))
  expect(topic?.messages).toBe(EVENTS)
  expect(topic?.duplicates).toBe(sum('duplicates'))
  expect(topic?.duplicates).toBe(sum('received') - sum('accepted') - sum('ignored') - sum('rejected'))
  expect(all.lost_records).toBe(0)
  expect(warnings).toEqual([])
})
