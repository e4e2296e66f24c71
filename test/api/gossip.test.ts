import { expect, test } from 'vitest'
import { until } from '../network/support/hosts.ts'
import { connect, node } from '../network/support/nodes.ts'
import { ACCEPT_ALL, rulesBy } from '../network/support/rules.ts'
import { World } from './support/world.ts'

test('topics with their meshes, and what gossipsub has counted of each', async () => {
  const [a, b] = [await node(), await node({ keySeed: 2 })]
  for (const { network } of [a, b]) network.subscribe('events', ACCEPT_ALL)
  b.network.subscribe(
    'vote',
    rulesBy(() => 'reject')
  )
  await connect(a, b)
  const world = await World.open()
  const shown = async (path: string) => (await world.get(path)).body
  await until('a mesh', () => a.network.topics()[0]?.mesh.length === 1)
  expect(await a.network.publish('events', new Uint8Array(9))).toBe(1)
  expect(await a.network.publish('vote', new Uint8Array(7))).toBe(1)
  const ofA = a.network.topics()
  await until('both verdicts', () => b.network.topics().every(({ counts }) => counts.accepted + counts.rejected === 1))

  // Once for both answers: a heartbeat between them drops who sent what was rejected from the mesh.
  world.topics = b.network.topics()
  const { topics } = await shown('/v1/gossip/topics')
  expect(topics.map(({ topic }: { topic: string }) => topic)).toEqual(['events', 'vote'])
  expect(topics[0]).toEqual({
    topic: 'events',
    subscriber_count: 1,
    id: expect.stringMatching(/^\/moloch\/.*\/events\/1$/),
    mesh: [a.network.peerId],
    subscribers: [a.network.peerId]
  })
  const none = { published: 0, received: 0, duplicates: 0, accepted: 0, ignored: 0, rejected: 0, dropped: 0 }
  expect(await shown('/v1/gossip/stats')).toEqual({
    topics: {
      events: { mesh: 1, ...none, received: 1, accepted: 1 },
      vote: { mesh: 0, ...none, received: 1, rejected: 1 }
    }
  })
  world.topics = ofA
  expect(await shown('/v1/gossip/stats')).toEqual({ topics: { events: { mesh: 1, ...none, published: 1 } } })
})
