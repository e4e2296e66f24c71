import { setImmediate as nextTurn } from 'node:timers/promises'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
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

/** Pays, with the clock going on while it waits. */
async function pay(
  { clock, budget }: ReturnType<typeof setUp>,
  peer: string,
  bytes: number,
  fields = 0
): Promise<void> {
  const turn = budget.pay(peer, bytes, { entries: fields, fields })
  if (turn === undefined) return
  let done = false
  void turn.then(() => {
    done = true
  })
  while (!done) await pass(clock, 100)
}

/** Time goes on, and everybody has had a turn. */
async function pass(clock: { now: number }, ms: number): Promise<void> {
  clock.now += ms
  await vi.advanceTimersByTimeAsync(ms)
  for (let turn = 0; turn < 3; turn += 1) await nextTurn()
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
})
afterEach(() => {
  vi.useRealTimers()
})

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
    while (budget.pay('p', 1, { entries: 0, fields: 0 }) === undefined) free += 1
    // The loop has a turn for others.
    expect(free).toBeLessThan(300)
  })

  it('of many ids it is what all that are no validators may cost together, and a validator waits for none of them', async () => {
    const set = setUp(['v'])
    const frames = Array.from({ length: 100 }, (_, i) => pay(set, `p${i}`, MESSAGE - 1024))
    let done = 0
    for (const frame of frames) void frame.then(() => (done += 1))
    await pass(set.clock, 0)
    expect(done).toBeGreaterThanOrEqual(48)
    let heard = false
    void set.budget.pay('v', 2 * MESSAGE, { entries: 1, fields: 1 })?.then(() => {
      heard = true
    })
    await pass(set.clock, 0)
    expect(heard).toBe(true)
    await Promise.all(frames)
    expect(set.clock.now).toBeGreaterThanOrEqual(((100 - 48) / 16) * 1000)
  })

  it.each([8, 120])(
    '%i floods hold up nobody who sends little, and his largest frame goes before all that have had a turn',
    async (strangers) => {
      const set = setUp()
      const { clock, budget } = set
      /** The dearest there is for its length, on as many streams as are read. */
      const flood = async (peer: string): Promise<void> => {
        for (;;) await budget.pay(peer, 16_384, { entries: 1, fields: 8191 })
      }
      const FLOOD_COST = 16_384 + 2 * 1024 + 8190 * 256
      for (let i = 0; i < 3 * strangers; i += 1) void flood(`s${i % strangers}`)
      // Until each has had a turn.
      for (let ms = 0; ms < 30_000; ms += 250) await pass(clock, 250)
      expect(budget.waiting).toBeGreaterThan(0)
      const delay = async (bytes: number): Promise<number> => {
        const from = clock.now
        let done = false
        void (budget.pay('honest', bytes, { entries: 1, fields: 4 }) ?? Promise.resolve()).then(() => {
          done = true
        })
        await pass(clock, 0)
        while (!done && clock.now - from < 60_000) await pass(clock, 10)
        return clock.now - from
      }
      for (let vote = 0; vote < 50; vote += 1) {
        expect(await delay(300)).toBe(0)
        await pass(clock, 50)
      }
      expect(await delay(MESSAGE)).toBeLessThanOrEqual(1000 * ((MESSAGE + FLOOD_COST) / (16 * MESSAGE)) + 20)
    }
  )

  it('nothing waits of a peer that has left', async () => {
    const { clock, budget } = setUp()
    for (let i = 0; i < 100; i += 1) budget.charge(`p${i}`, MESSAGE)
    let done = false
    void budget.pay('left', MESSAGE, { entries: 1, fields: 1 })?.then(() => {
      done = true
    })
    await pass(clock, 0)
    expect([done, budget.waiting]).toEqual([false, 1])
    budget.forget('left')
    await pass(clock, 0)
    expect([done, budget.waiting]).toEqual([true, 0])
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
