import { expect, test } from 'vitest'
import { feed, heightOf, moloch, network, oneChain, reaches } from './support.ts'

test('a validator and a full node killed again and again open, catch up, and their homes verify', async () => {
  const devnet = await network({ late: false, nodes: 1 })
  await devnet.start()
  await feed(devnet, 100)
  const victims = ['validator-4', 'node-1']
  // From the first moments of a start to well into following: seeded only by this list, so that a failure can be named.
  for (const runFor of [0, 300, 700, 1100, 1700, 2500]) {
    await Promise.all(victims.map((name) => devnet.kill(name)))
    devnet.spawn(victims)
    await new Promise((done) => setTimeout(done, runFor))
  }
  await Promise.all(victims.map((name) => devnet.ready(name)))
  const height = await heightOf(devnet, 'validator-1')
  await reaches(devnet, victims, height + 2, 60_000)
  expect((await oneChain(devnet)).hashes.size).toBe(1)

  await Promise.all(victims.map((name) => devnet.kill(name)))
  for (const name of victims) {
    const { code, stdout, stderr } = await moloch('db', 'verify', '--home', devnet.node(name).home, '--json')
    expect(stderr).not.toContain('moloch:')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ height: expect.any(Number) })
  }
})
