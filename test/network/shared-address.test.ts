import { describe, expect, it } from 'vitest'
import { DEFAULT_SETTINGS } from '../../src/network/settings.ts'
import { until } from './support/hosts.ts'
import { connect, node, view } from './support/nodes.ts'
import { ACCEPT_ALL, rulesBy } from './support/rules.ts'
import { inside } from './support/traces.ts'

/** What a node on the Internet has, but for how fast connections come: tests do not wait for that. */
const SETTINGS = { ...DEFAULT_SETTINGS, inboundPerSecond: 1024 }
const SILENT = { subscriptionMs: 0 }

describe('peers that share their address with strangers: behind one router, proxy or load balancer', () => {
  it('are heard as before when ids have come and gone there, also more than one address has places for', async () => {
    const target = await node({ settings: SETTINGS })
    const honest = await node({ keySeed: 9 })
    const heard: string[] = []
    target.network.subscribe(
      'vote',
      rulesBy(
        () => 'accept',
        (payload) => heard.push(Buffer.from(payload).toString())
      )
    )
    honest.network.subscribe('vote', ACCEPT_ALL)
    await connect(honest, target)
    const { score } = inside(target) as unknown as { score: { size: number; scoreCache: Map<string, unknown> } }
    const before = score.size
    for (let round = 0; round < 4; round += 1) {
      const strangers = await Promise.all(Array.from({ length: 5 }, () => node({ settings: SILENT })))
      for (const stranger of strangers) await stranger.network.dial(target.address)
      await until('gossip knows them', () => score.size === before + 5 * (round + 1))
      await Promise.all(strangers.map(({ network }) => network.stop()))
      await until('they have left', () => target.network.sessions.list().length === 1)
    }
    // Scores are worked out once a second.
    score.scoreCache.clear()
    expect(view(target, honest)?.score).toBeGreaterThanOrEqual(0)
    await honest.network.publish('vote', Buffer.from('after'))
    await until('the honest peer', () => heard.includes('after'))
  })
})
