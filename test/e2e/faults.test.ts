import { describe, expect, test } from 'vitest'
import { eventually, feed, heightOf, logLines, network, oneChain, reaches } from './support.ts'

const VALIDATORS = ['validator-1', 'validator-2', 'validator-3', 'validator-4']
const [first, second, third, fourth] = VALIDATORS as [string, string, string, string]

/** Warnings and errors of a node that cannot go on may not flood its log. */
const WARNINGS_A_MINUTE = 6
const STANDSTILL_MS = 40_000

describe('four validators', () => {
  test('go on with three, stand still with two without flooding their logs, and resume within 10 s', async () => {
    const devnet = await network({ late: false, nodes: 1 })
    await devnet.start()
    await feed(devnet, 50)
    await reaches(devnet, [...VALIDATORS, 'node-1'], 3, 60_000)

    await devnet.kill(fourth)
    const withoutOne = await heightOf(devnet, first)
    await reaches(devnet, [first, second, third, 'node-1'], withoutOne + 8, 60_000)

    await devnet.kill(third)
    const stopped = Math.max(await heightOf(devnet, first), await heightOf(devnet, second))
    const since = Date.now()
    // Nothing to wait for: that nothing happens takes its time. One block may have been on its way.
    await new Promise((done) => setTimeout(done, STANDSTILL_MS))
    expect(await heightOf(devnet, first)).toBeLessThanOrEqual(stopped + 1)
    for (const name of [first, second, 'node-1']) {
      const loud = logLines(devnet, name, since).filter(({ level }) => level === 'warn' || level === 'error')
      expect(loud.length, `${name}: ${JSON.stringify(loud.slice(0, 10))}`).toBeLessThanOrEqual(
        (WARNINGS_A_MINUTE * STANDSTILL_MS) / 60_000
      )
    }

    const height = await heightOf(devnet, first)
    await devnet.start([third, fourth])
    await reaches(devnet, VALIDATORS, height + 2, 10_000)
    await reaches(devnet, [...VALIDATORS, 'node-1'], height + 5, 60_000)
    expect((await oneChain(devnet)).hashes.size).toBe(1)
  })

  test('killed all at the same moment resume within 10 s of their restart, again and again', async () => {
    const devnet = await network({ late: false, nodes: 0 })
    await devnet.start()
    await feed(devnet, 50)
    for (let round = 0; round < 3; round++) {
      const height = await heightOf(devnet, first)
      await reaches(devnet, VALIDATORS, height + 3, 60_000)
      await Promise.all(VALIDATORS.map((name) => devnet.kill(name)))
      devnet.spawn(VALIDATORS)
      await Promise.all(
        VALIDATORS.map((name) =>
          eventually(`${name} to answer`, async () => (await heightOf(devnet, name)) >= 0, 60_000)
        )
      )
      const from = Math.max(...(await Promise.all(VALIDATORS.map((name) => heightOf(devnet, name)))))
      expect(from).toBeGreaterThanOrEqual(height + 3)
      await reaches(devnet, VALIDATORS, from + 2, 10_000)
    }
    expect((await oneChain(devnet)).hashes.size).toBe(1)
  })
})
