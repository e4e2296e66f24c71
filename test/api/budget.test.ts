import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Budget, type Taken } from '../../src/api/budget.ts'
import { Gate } from '../../src/api/gate.ts'
import { get, RawClient } from './support/raw-client.ts'
import { World } from './support/world.ts'

const LIMITS = { bytes: 100, bytesAnAddress: 50, slowMs: 10 }

const steps = fc.array(
  fc.oneof(
    fc.record({ type: fc.constant('take' as const), address: fc.nat(3), bytes: fc.integer({ min: 1, max: 60 }) }),
    fc.record({ type: fc.constant('send' as const), at: fc.nat(), part: fc.double({ min: 0, max: 1, noNaN: true }) }),
    fc.record({ type: fc.constant('release' as const), at: fc.nat() }),
    fc.record({ type: fc.constant('wait' as const), ms: fc.nat(15) })
  ),
  { maxLength: 60 }
)

test('what is taken is the sum of what was not given back, within the bounds; only slow answers give way', () => {
  fc.assert(
    fc.property(steps, (all) => {
      let now = 0
      const budget = new Budget(LIMITS, () => now)
      interface Held {
        readonly taken: Taken
        readonly address: string
        bytes: number
        sentAt: number | undefined
      }
      const held = new Set<Held>()
      const bytesOf = (address?: string) =>
        [...held].reduce((sum, one) => sum + (address === undefined || one.address === address ? one.bytes : 0), 0)
      for (const step of all) {
        const chosen = 'at' in step && held.size > 0 ? [...held][step.at % held.size] : undefined
        if (step.type === 'wait') now += step.ms
        if (step.type === 'take') {
          const address = String(step.address)
          const one: { held?: Held } = {}
          const taken = budget.take(address, step.bytes, () => {
            const cut = one.held as Held
            expect(now - (cut.sentAt ?? now)).toBeGreaterThan(LIMITS.slowMs)
            held.delete(cut)
          })
          if (taken !== undefined) {
            one.held = { taken, address, bytes: step.bytes, sentAt: undefined }
            held.add(one.held)
          } else {
            const isFull =
              bytesOf() + step.bytes > LIMITS.bytes || bytesOf(address) + step.bytes > LIMITS.bytesAnAddress
            expect(isFull).toBe(true)
          }
        }
        if (step.type === 'send' && chosen !== undefined) {
          chosen.bytes = Math.floor(chosen.bytes * step.part)
          chosen.sentAt = now
          chosen.taken.send(chosen.bytes)
        }
        if (step.type === 'release' && chosen !== undefined) {
          chosen.taken.release()
          chosen.taken.release()
          held.delete(chosen)
        }
        expect(budget.bytes).toBe(bytesOf())
        expect(budget.bytes).toBeLessThanOrEqual(LIMITS.bytes)
        for (const { address } of held) expect(bytesOf(address)).toBeLessThanOrEqual(LIMITS.bytesAnAddress)
      }
    })
  )
})

test('a gate lets so many through at once, the others in order, whatever becomes of those before', async () => {
  const gate = new Gate(2)
  let [inside, most] = [0, 0]
  const begun: number[] = []
  const ends = await Promise.allSettled(
    Array.from({ length: 20 }, (_, i) =>
      gate.run(async () => {
        begun.push(i)
        most = Math.max(most, ++inside)
        await new Promise((resolve) => setImmediate(resolve))
        inside--
        if (i % 3 === 0) throw new Error('failed')
        return i
      })
    )
  )
  expect(most).toBe(2)
  expect(begun).toEqual(Array.from({ length: 20 }, (_, i) => i))
  expect(ends.filter(({ status }) => status === 'rejected')).toHaveLength(7)
})

describe('memory for answers', () => {
  test('when it is taken, callers are told to come again; /health and other addresses are answered', async () => {
    // Room for one page an address: each takes as much as it may become.
    const world = await World.open({ blocks: 1, limits: { answerBytes: 3_000_000, answerBytesAnAddress: 1_500_000 } })
    let release = (): void => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    let asked = 0
    const events: typeof world.ledger.events = async (...all) => {
      asked++
      await held
      return world.ledger.events(...all)
    }
    const chain = new Proxy(world.ledger, {
      get: (ledger, name) => {
        if (name === 'events') return events
        const value = Reflect.get(ledger, name)
        return typeof value === 'function' ? value.bind(ledger) : value
      }
    })
    await world.api.show({ ...world.source, chain })
    // However this ends, nobody waits for it.
    onTestFinished(() => release())
    const first = (await RawClient.open(world.url)).send(get('/v1/events'))
    await expect.poll(() => asked).toBe(1)
    const refused = await world.get('/v1/events')
    expect(refused).toMatchObject({ status: 503, body: { code: 'BUSY' } })
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await world.get('/health/live')).status).toBe(200)
    expect((await world.get('/v1/status')).status).toBe(200)
    const other = (await RawClient.open(world.url, '127.0.0.2')).send(get('/v1/events'))
    await expect.poll(() => asked).toBe(2)
    release()
    await expect.poll(() => [first.statuses, other.statuses]).toEqual([[200], [200]])
    expect((await world.get('/v1/events')).status).toBe(200)
  })
})
