/** What `moloch status` says of a chain that goes on, one that stands, and a node that cannot know. */
import { expect, test } from 'vitest'
import type { OutlookView } from '../../src/consensus/stall-monitor.ts'
import { peer, World } from '../api/support/world.ts'
import { moloch } from './support/run.ts'

const waiting = { code: 'TURN', message: 'waits for the turn of v2', since: 1_700_000_000_000, standsMs: undefined }
const clock = { aheadMs: 0, faults: [] }

async function status(world: World, outlook: OutlookView): Promise<string[]> {
  world.outlook = outlook
  const { out } = await moloch(['status'], { env: { MOLOCH_URL: world.url } })
  return out.split('\n').filter((line) => /^(sync|waiting|clock) /.test(line))
}

test('a chain that goes on', async () => {
  const world = await World.open({ blocks: 2 })
  world.peers = [peer()]
  expect(await status(world, { waiting, clock })).toEqual([
    expect.stringMatching(/^sync +up to date by gossip$/),
    expect.stringMatching(/^waiting +waits for the turn of v2, since 2023-11-14T22:13:20.000Z$/)
  ])
})

test('one that stands is not called up to date, and says why', async () => {
  const world = await World.open({ blocks: 2 })
  world.peers = [peer()]
  const stands = { ...waiting, code: 'VALIDATORS', message: 'waits for validators', standsMs: 83_000 }
  const faults = ['the clock of v2 is off', 'the clock of v3 is off']
  expect(await status(world, { waiting: stands, clock: { ...clock, faults } })).toEqual([
    expect.stringMatching(/^sync +at 2, where the chain stands$/),
    expect.stringMatching(/^waiting +no block for 83 s: waits for validators, since /),
    expect.stringMatching(/^clock +the clock of v2 is off$/),
    expect.stringMatching(/^clock +the clock of v3 is off$/)
  ])
})

test('another node with this node’s peer key is shown', async () => {
  const world = await World.open({ blocks: 1 })
  world.keyInUse = { since: 1, message: 'another running node uses this node’s peer key' }
  const { out } = await moloch(['status'], { env: { MOLOCH_URL: world.url } })
  expect(out).toMatch(/^peer key +another running node uses this node’s peer key$/m)
})

test('who hears nobody is not called up to date either', async () => {
  const world = await World.open({ blocks: 2 })
  expect(await status(world, { waiting, clock })).toContainEqual(
    expect.stringMatching(/^sync +at 2; no peer tells of more$/)
  )
  world.peers = [peer({ state: 'DETERMINING' })]
  expect(await status(world, { waiting, clock })).toContainEqual(
    expect.stringMatching(/^sync +at 2; no peer with a chain tells of more$/)
  )
})
