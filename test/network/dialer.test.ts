import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Dialer } from '../../src/network/dialer.ts'
import { LogBook } from './support/nodes.ts'

const SETTINGS = { redialFirstMs: 100, redialLastMs: 1000, warnEveryMs: 60_000, refusedMs: 300_000 }

function setUp(connect: (address: string) => Promise<string>, random = () => 0.5) {
  const connected = new Set<string>()
  const dials: { address: string; at: number }[] = []
  const log = new LogBook()
  const dialer = new Dialer({
    settings: SETTINGS,
    connect: (address) => {
      dials.push({ address, at: Date.now() })
      return connect(address)
    },
    isConnected: (peer) => connected.has(peer),
    random,
    now: () => Date.now(),
    log
  })
  return { dialer, dials, connected, log }
}

const refused = (address: string): Promise<string> => Promise.reject(new Error(`connect ECONNREFUSED ${address}`))

describe('the redial loop', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: 0 })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('backs off twofold up to the last, and warns of an address once in the while', async () => {
    const { dialer, dials, log } = setUp(refused)
    dialer.add('a', { bootstrap: true })
    dialer.start()
    await vi.advanceTimersByTimeAsync(5000)
    const gaps = dials.slice(1).map(({ at }, i) => at - (dials[i]?.at ?? 0))
    expect(gaps.slice(0, 6)).toEqual([100, 200, 400, 800, 1000, 1000])
    expect(log.of('warn')).toHaveLength(1)
    expect(log.of('warn')[0]?.message).toMatch(/^bootstrap peer a cannot be reached \(connect ECONNREFUSED a\)/)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(log.of('warn')).toHaveLength(2)
    dialer.stop()
    const before = dials.length
    await vi.advanceTimersByTimeAsync(10_000)
    expect(dials).toHaveLength(before)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('jitter is half up and half down', async () => {
    for (const [random, gap] of [
      [0, 50],
      [0.9999, 149]
    ] as const) {
      const { dialer, dials } = setUp(refused, () => random)
      dialer.add('a', { bootstrap: true })
      dialer.start()
      await vi.advanceTimersByTimeAsync(200)
      expect(Math.floor((dials[1]?.at ?? 0) - (dials[0]?.at ?? 0))).toBe(gap)
      dialer.stop()
    }
  })

  it('a peer that was lost is dialled again, and its success resets the wait', async () => {
    const { dialer, dials, connected } = setUp(async () => {
      connected.add('p')
      return 'p'
    })
    dialer.add('a', { bootstrap: true })
    dialer.start()
    await vi.advanceTimersByTimeAsync(10_000)
    expect(dials).toHaveLength(1)
    for (let i = 0; i < 5; i += 1) {
      dialer.reached('p')
      connected.delete('p')
      dialer.lost('p')
      await vi.advanceTimersByTimeAsync(100)
      expect(dials).toHaveLength(i + 2)
    }
    dialer.stop()
  })

  it('a peer that comes and goes is warned of once in the while, under however many addresses', async () => {
    let up = false
    const { dialer, connected, log } = setUp(async (address) => {
      if (!up) throw new Error(`connect ECONNREFUSED ${address}`)
      connected.add('p')
      return 'p'
    })
    dialer.add('a', { peerId: 'p', bootstrap: true })
    dialer.add('b', { peerId: 'p' })
    dialer.start()
    for (let i = 0; i < 10; i += 1) {
      up = false
      connected.delete('p')
      dialer.lost('p')
      await vi.advanceTimersByTimeAsync(2000)
      up = true
      await vi.advanceTimersByTimeAsync(2000)
      dialer.reached('p')
    }
    expect(log.of('debug', 'not reached').length).toBeGreaterThan(10)
    expect(log.of('warn')).toHaveLength(1)
    dialer.stop()
  })

  it('a peer that takes us and drops us is not stormed', async () => {
    const { dialer, dials } = setUp(async () => 'p')
    dialer.add('a', { bootstrap: true })
    dialer.start()
    await vi.advanceTimersByTimeAsync(3000)
    expect(dials.length).toBeLessThan(8)
    dialer.stop()
  })

  it('a refused peer waits five minutes', async () => {
    const { dialer, dials, connected } = setUp(async () => {
      connected.add('p')
      return 'p'
    })
    dialer.add('a', { bootstrap: true })
    dialer.start()
    await vi.advanceTimersByTimeAsync(10)
    connected.delete('p')
    dialer.holdOff('p')
    dialer.lost('p')
    await vi.advanceTimersByTimeAsync(299_000)
    expect(dials).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(2000)
    expect(dials).toHaveLength(2)
    dialer.stop()
  })

  it('our own address is dropped in silence, a known peer after many failures, a bootstrap peer never', async () => {
    const { dialer, log } = setUp(async (address) => {
      throw new Error(address === 'me' ? 'Can not dial self' : 'no')
    })
    dialer.add('me', { bootstrap: true })
    dialer.add('known')
    dialer.add('boot', { bootstrap: true })
    dialer.start()
    await vi.advanceTimersByTimeAsync(100)
    expect(dialer.size).toBe(2)
    expect(log.of('warn').map(({ details }) => details.address)).toEqual(['known', 'boot'])
    await vi.advanceTimersByTimeAsync(120_000)
    expect(dialer.size).toBe(1)
    dialer.stop()
  })

  it('a hold of years is a hold: no timer of Node reaches as far', async () => {
    const { dialer, dials } = setUp(refused)
    dialer.add('a', { peerId: 'p', bootstrap: true })
    dialer.holdOff('p', 30 * 24 * 3_600_000)
    // What comes later and is shorter does not end it.
    dialer.holdOff('p', 10)
    dialer.start()
    await vi.advanceTimersByTimeAsync(10 * 3_600_000)
    expect(dials).toEqual([])
    dialer.release('p')
    await vi.advanceTimersByTimeAsync(10)
    expect(dials).toHaveLength(1)
    dialer.stop()
  })

  it('what somebody asks for finds room among addresses that are only tried', () => {
    const { dialer } = setUp(refused)
    for (let i = 0; i < 600; i++) dialer.add(`tried ${i}`, { quiet: true })
    expect(dialer.size).toBe(512)
    dialer.add('asked for')
    expect(dialer.size).toBe(512)
    dialer.add('tried in vain', { quiet: true })
    expect(dialer.size).toBe(512)
  })
})
