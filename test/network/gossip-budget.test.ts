import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GossipBudget } from '../../src/network/gossip-budget.ts'
import { runs } from '../support/runs.ts'

const MESSAGE = 1 << 20

function setUp(validators: readonly string[] = []) {
  const clock = { now: 0 }
  const budget = new GossipBudget({
    maxMessageBytes: MESSAGE,
    isValidator: (peer) => validators.includes(peer),
    now: () => clock.now
  })
  return { clock, budget }
}

/** Pays, with the clock going on while it waits; setTimeout is real, so each wait is a moment. */
async function pay(
  { clock, budget }: ReturnType<typeof setUp>,
  peer: string,
  bytes: number,
  fields = 0
): Promise<void> {
  const turn = budget.pay(peer, bytes, fields)
  if (turn === undefined) return
  let done = false
  void turn.then(() => {
    done = true
  })
  while (!done) {
    clock.now += 100
    await new Promise((resolve) => setImmediate(resolve))
  }
}

describe('what gossip may cost', () => {
  it('a peer’s stay below its burst and rate, however it sends', async () => {
    const sent = fc.array(fc.record({ bytes: fc.nat(2 * MESSAGE), fields: fc.nat(8192), pause: fc.nat(500) }), {
      maxLength: 60
    })
    await fc.assert(
      fc.asyncProperty(sent, async (frames) => {
        const set = setUp()
        let cost = 0
        for (const { bytes, fields, pause } of frames) {
          set.clock.now += pause
          await pay(set, 'p', bytes, fields)
          cost += bytes + (1 + fields) * 1024
          expect(cost).toBeLessThanOrEqual(24 * MESSAGE + (8 * MESSAGE * set.clock.now) / 1000 + 1)
        }
      }),
      runs(20)
    )
  })

  it('a million empty frames are as much as gigabytes', () => {
    const { budget } = setUp()
    let free = 0
    while (budget.pay('p', 1, 0) === undefined) free += 1
    // The loop has a turn for others.
    expect(free).toBeLessThan(300)
  })

  it('of many ids it is what all that are no validators may cost together, and a validator waits for none of them', () => {
    const { budget, clock } = setUp(['v'])
    for (let i = 0; i < 100; i += 1) budget.charge(`p${i}`, MESSAGE)
    // Past the turn.
    budget.charge('v', 1)
    const waits = (peer: string) => budget.waitMs(peer)
    expect(waits('new')).toBe(((100 - 48) / 16) * 1000)
    expect(waits('v')).toBe(0)
    clock.now = 3_250
    expect(waits('new')).toBe(0)
  })

  it('ids that come and go are forgotten', () => {
    const { budget, clock } = setUp()
    for (let i = 0; i < 5000; i += 1) {
      clock.now += 10
      budget.charge(`p${i}`, 100)
    }
    expect(budget.size).toBeLessThanOrEqual(1100)
  })
})
