/** What a driver does when time passes and little else: pace, timeouts, asking, warnings. */
import { expect, it, vi } from 'vitest'
import { decodeVote, encodeVote, type Vote, VoteType } from '../../src/chain/vote.ts'
import { Asker } from '../../src/consensus/asker.ts'
import { noVotes } from '../../src/consensus/catch-up.ts'
import { silentLog } from '../../src/log.ts'
import { waitFor } from '../support/until.ts'
import { Lab } from './support/lab.ts'
import { ManualClock } from './support/manual-clock.ts'
import type { TestNode } from './support/rig.ts'

vi.setConfig({ testTimeout: 60_000 })
const PATIENCE = { timeout: 20_000, interval: 5 }

const params = {
  blockIntervalMs: 1000,
  emptyBlockIntervalMs: 5000,
  timeoutProposeMs: 1000,
  timeoutPrevoteMs: 500,
  timeoutPrecommitMs: 500,
  timeoutDeltaMs: 250
}

async function lab(self: number): Promise<Lab & { clock: ManualClock }> {
  const clock = new ManualClock()
  return Object.assign(await Lab.start({ params, self, clock }), { clock })
}

const blocksOf = (node: TestNode): number => node.published.filter(({ topic }) => topic === 'block').length
const votesOf = (node: TestNode): Vote[] =>
  node.published.filter(({ topic }) => topic === 'vote').map(({ payload }) => decodeVote(payload))

it('a proposer with events proposes after the block interval, not before', async () => {
  const { node, clock, network } = await lab(1)
  node.submit(network.event())
  await clock.pass(999)
  expect(blocksOf(node)).toBe(0)
  await clock.pass(1)
  await waitFor(() => expect(blocksOf(node)).toBe(1), PATIENCE)
})

it('a proposer without events waits for the first', async () => {
  const { node, clock, network } = await lab(1)
  await clock.pass(3000)
  expect(blocksOf(node)).toBe(0)
  node.submit(network.event())
  await clock.pass(0)
  await waitFor(() => expect(blocksOf(node)).toBe(1), PATIENCE)
})

it('a proposer without any proposes an empty block in the end', async () => {
  const { node, clock } = await lab(1)
  await clock.pass(4999)
  expect(blocksOf(node)).toBe(0)
  await clock.pass(1)
  await waitFor(() => expect(blocksOf(node)).toBe(1), PATIENCE)
})

it('an event whose window has passed or that is far ahead hurries nobody', async () => {
  const { node, clock, network } = await lab(1)
  await clock.pass(3000)
  node.submit(network.event(Date.now() - 700_000), network.event(Date.now() + 700_000))
  await clock.pass(1500)
  expect(blocksOf(node)).toBe(0)
})

it('the others arm the propose timeout at that moment, by their own mempool', async () => {
  const { node, clock, network } = await lab(2)
  node.submit(network.event())
  await clock.pass(1999)
  expect(votesOf(node)).toEqual([])
  await clock.pass(1)
  await waitFor(() => expect(votesOf(node)).toHaveLength(1), PATIENCE)
  expect(votesOf(node)[0]).toMatchObject({ type: 'PREVOTE', round: 0, blockHash: { length: 0 } })
})

it('… and in later rounds at once', async () => {
  const room = await lab(0)
  const { node, clock } = room
  await clock.pass(100)
  for (const validator of [1, 2]) await node.gossip('vote', room.precommit(validator, undefined, 1))
  expect(node.driver.position).toMatchObject({ round: 1, step: 'propose' })
  await clock.pass(1249)
  expect(votesOf(node)).toEqual([])
  await clock.pass(1)
  await waitFor(() => expect(votesOf(node)).toHaveLength(1), PATIENCE)
})

it('asks for votes every full timeout without progress, and not while it waits for events', async () => {
  const { node, clock, network } = await lab(2)
  network.connects = () => true
  network.nodes[0]!.running = true
  network.nodes[0]!.driver = node.driver
  network.nodes[0]!.ledger = node.ledger
  await clock.pass(10)
  const asked = node.requests.length
  await clock.pass(4900)
  expect(node.requests.length).toBe(asked)
  await clock.pass(1500)
  await waitFor(() => expect(votesOf(node)).toHaveLength(1), PATIENCE)
  const before = node.requests.length
  await clock.pass(10_000)
  // A full timeout of round 0 takes 2 s; each time one peer can be asked.
  expect(node.requests.length - before).toBeGreaterThanOrEqual(4)
  expect(node.requests.length - before).toBeLessThanOrEqual(6)
  network.nodes[0]!.running = false
})

it('asks once a height for each validator that signs for heights above, however much of it comes', async () => {
  const room = await lab(2)
  const { node, clock, network } = room
  network.connects = () => true
  network.nodes[0]!.running = true
  network.nodes[0]!.driver = node.driver
  network.nodes[0]!.ledger = node.ledger
  await clock.pass(10)
  const before = node.requests.length
  for (let far = 0; far < 40; far++) {
    for (const validator of [0, 1]) {
      const vote = encodeVote(room.vote(VoteType.PREVOTE, validator, undefined, 0, 5 + far))
      expect(await node.gossip('vote', vote)).toBe('ignore')
    }
    await clock.pass(100)
  }
  expect(node.requests.length - before).toBeGreaterThanOrEqual(1)
  expect(node.requests.length - before).toBeLessThanOrEqual(2)
  network.nodes[0]!.running = false
})

it('a chain that stands says so when it begins and every ten minutes: for how long, and who is missing', async () => {
  const { node, clock } = await lab(2)
  await clock.pass(6000)
  await waitFor(() => expect(votesOf(node)).toHaveLength(1), PATIENCE)
  expect(node.driver.outlook().waiting).toMatchObject({ code: 'VALIDATORS', standsMs: undefined })
  await clock.pass(54_000)
  const missing = 'waits for validators: 1 of 3 needed are here'
  const names = 'missing: v0 (not connected), v1 (not connected), v3 (not connected)'
  expect(node.warnings).toEqual([expect.stringMatching(/^no block at height 1 for 1[78](\.\d)? s: /)])
  expect(node.warnings[0]).toContain(`${missing}; ${names}`)
  const { code, message, standsMs } = node.driver.outlook().waiting
  expect({ code, message }).toEqual({ code: 'VALIDATORS', message: `${missing}; ${names}` })
  expect(standsMs).toBeGreaterThanOrEqual(59_000)
  await clock.pass(1_800_000)
  expect(node.warnings).toHaveLength(4)
})

it('… and why in other words when that changes, and when it is over', async () => {
  const room = await lab(2)
  const { node, clock } = room
  await clock.pass(60_000)
  await waitFor(() => expect(votesOf(node)).toHaveLength(1), PATIENCE)
  await node.gossip('vote', room.prevote(1, undefined))
  await node.gossip('vote', room.prevote(3, undefined))
  await waitFor(() => expect(votesOf(node)).toHaveLength(2), PATIENCE)
  await clock.pass(30_000)
  expect(node.warnings.at(-1)).toMatch(
    /^no block at height 1 for \d+ s: waits for precommits of round 0: 1 of 3 needed; missing: v0 \(not connected\), v1, v3$/
  )
  const block = room.build()
  for (const validator of [0, 1, 3]) await node.gossip('vote', room.precommit(validator, block))
  await node.gossip('block', room.newBlock(block))
  await node.reaches(1)
  await clock.pass(1000)
  expect(node.infos.at(-1)).toMatch(/^blocks go on: 1 is final, after \d+ s$/)
  expect(node.driver.outlook().waiting.standsMs).toBeUndefined()
})

it('a chain that only has nothing to do is not stalled', async () => {
  const clock = new ManualClock()
  const idle = { ...params, emptyBlockIntervalMs: 600_000 }
  const { node } = await Lab.start({ params: idle, self: 2, clock })
  await clock.pass(500_000)
  expect(node.warnings).toEqual([])
})

it('peers are asked a few at a time, not again before they answer, and in turns', async () => {
  const clock = new ManualClock()
  const asked: string[] = []
  const answers: (() => void)[] = []
  const asker = new Asker({
    clock,
    log: silentLog,
    request: () => ({ height: 1, round: 0, blockHash: new Uint8Array(0), have: [] }),
    take: async () => false,
    peers: {
      peers: () => ['a', 'b', 'c', 'd', 'e'],
      standing: () => undefined,
      penalise: () => {},
      getVotes: (peer) => {
        asked.push(peer)
        return new Promise((resolve) => answers.push(() => resolve(noVotes())))
      }
    }
  })
  for (let i = 0; i < 10; i++) asker.ask()
  await clock.pass(100)
  expect(asked).toEqual(['a', 'b', 'c'])
  asker.ask()
  await clock.pass(149)
  expect(asked).toHaveLength(3)
  await clock.pass(1)
  expect(asked.slice(3).sort()).toEqual(['d', 'e'])
  asker.ask()
  await clock.pass(250)
  expect(asked).toHaveLength(5)
  // They are asked as soon as they have time.
  for (const answer of answers) answer()
  await clock.pass(0)
  await clock.pass(0)
  expect(asked.slice(5)).toEqual(['e', 'a', 'b'])
  for (const answer of answers) answer()
  await clock.pass(0)
  asker.ask()
  await clock.pass(250)
  expect(asked.slice(8)).toEqual(['c', 'd', 'e'])
})

it('two of three that are asked are validators, however many others there are', async () => {
  const clock = new ManualClock()
  const asked: string[] = []
  const strangers = Array.from({ length: 100 }, (_, i) => `s${i}`)
  let validators = ['x', 'y', 'z']
  const asker = new Asker({
    clock,
    log: silentLog,
    request: () => ({ height: 1, round: 0, blockHash: new Uint8Array(0), have: [] }),
    take: async () => false,
    peers: {
      peers: () => [...strangers, ...validators],
      standing: (peer) => ({ validator: validators.indexOf(peer), height: 0 }),
      penalise: () => {},
      getVotes: async (peer) => {
        asked.push(peer)
        return noVotes()
      }
    }
  })
  const round = async (): Promise<string[]> => {
    asked.length = 0
    asker.ask()
    await clock.pass(250)
    return asked.filter((peer) => !peer.startsWith('s'))
  }
  expect(await round()).toEqual(['x', 'y'])
  expect(await round()).toEqual(['z', 'x'])
  expect(asked).toHaveLength(3)
  validators = ['x']
  expect(await round()).toEqual(['x'])
  expect(asked).toHaveLength(3)
  strangers.length = 0
  validators = ['x', 'y', 'z', 'v']
  expect(await round()).toEqual(['y', 'z', 'v'])
})

it('a block is asked of one peer at a time', async () => {
  const clock = new ManualClock()
  const wanted: boolean[] = []
  const asker = new Asker({
    clock,
    log: silentLog,
    request: ({ block }) => ({
      height: 1,
      round: 0,
      blockHash: new Uint8Array(block === undefined ? 0 : 32),
      have: []
    }),
    take: async () => false,
    peers: {
      peers: () => Array.from({ length: 9 }, (_, i) => `v${i}`),
      standing: (peer) => ({ validator: Number(peer.slice(1)), height: 0 }),
      penalise: () => {},
      getVotes: ((_: string, request: { blockHash: Uint8Array }) => {
        wanted.push(request.blockHash.byteLength > 0)
        return new Promise(() => {})
      }) as never
    }
  })
  asker.ask()
  await clock.pass(0)
  expect(wanted).toEqual([true, false, false])
  asker.ask()
  await clock.pass(250)
  expect(wanted.slice(3)).toEqual([false, false, false])
  // That question may have been lost.
  await clock.pass(750)
  asker.ask()
  await clock.pass(0)
  expect(wanted.slice(6)).toEqual([true, false, false])
})

it('who gives no answer in time is asked again', async () => {
  const clock = new ManualClock()
  let asked = 0
  const asker = new Asker({
    clock,
    log: silentLog,
    request: () => ({ height: 1, round: 0, blockHash: new Uint8Array(0), have: [] }),
    take: async () => false,
    peers: {
      peers: () => ['a'],
      standing: () => undefined,
      penalise: () => {},
      getVotes: (_, __, { signal }) => {
        asked++
        return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('late'))))
      }
    }
  })
  const ask = async (): Promise<number> => {
    asker.ask()
    await clock.pass(250)
    return asked
  }
  expect([await ask(), await ask()]).toEqual([1, 1])
  // Another beside the first, since that may be lost, and not before a second has passed.
  await clock.pass(500)
  expect([await ask(), await ask()]).toEqual([2, 2])
  await clock.pass(2000)
  // A reason that came while it was busy is kept.
  expect(await ask()).toBe(4)
  await clock.pass(5000)
  expect(await ask()).toBe(5)
})

it('a question that was lost keeps a peer from being asked for no longer than a second, and few are open at a time', async () => {
  const clock = new ManualClock()
  const asked: number[] = []
  const asker = new Asker({
    peers: {
      peers: () => ['a'],
      standing: () => undefined,
      getVotes: (_, __, { signal }) => {
        asked.push(clock.monotonic())
        return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))))
      },
      penalise: () => {}
    },
    clock,
    log: silentLog,
    request: () => ({ height: 1, round: 0, blockHash: new Uint8Array(0), have: [] }),
    take: async () => false
  })
  // As a validator does that listens.
  for (let i = 0; i < 12; i++) {
    asker.askPeer('a')
    await clock.pass(500)
  }
  expect(asked).toEqual([0, 1000, 2000, 3000, 5000])
  asker.stop()
})
