import type { MultiaddrConnection } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { describe, expect, it } from 'vitest'
import { FAILURE_CODES } from '../../src/chain/failures.ts'
import { Gater } from '../../src/network/gater.ts'
import { Quotas } from '../../src/network/limits.ts'
import { DISCONNECT_POINTS, Penalties, verdictFor } from '../../src/network/verdicts.ts'

function quotas(rule = { burst: 3, perSecond: 2, concurrent: 2 }) {
  const clock = { now: 0 }
  return { clock, quotas: new Quotas({ blocks: rule, votes: rule }, () => clock.now) }
}

describe('quotas', () => {
  it('a burst, then what the rate gives, and says when to come back', () => {
    const { clock, quotas: limits } = quotas({ burst: 3, perSecond: 2, concurrent: 9 })
    const take = (peer = 'p') => limits.enter(peer, 'blocks')
    expect([take(), take(), take()].every(({ ok }) => ok)).toBe(true)
    expect(take()).toEqual({ ok: false, retryAfterMs: 500 })
    clock.now = 250
    expect(take()).toEqual({ ok: false, retryAfterMs: 250 })
    clock.now = 500
    expect(take().ok).toBe(true)
    expect(take('q').ok).toBe(true)
    expect(limits.enter('p', 'votes').ok).toBe(true)
    clock.now = 1e9
    expect([take(), take(), take(), take()].map(({ ok }) => ok)).toEqual([true, true, true, false])
  })

  it('counts what is under way, and a refused request costs no token', () => {
    const { quotas: limits } = quotas()
    const [first, second] = [limits.enter('p', 'blocks'), limits.enter('p', 'blocks')]
    expect(limits.enter('p', 'blocks')).toMatchObject({ ok: false })
    if (!first.ok || !second.ok) throw new Error('refused')
    first.leave()
    first.leave()
    expect(limits.enter('p', 'blocks').ok).toBe(true)
    expect(limits.enter('p', 'blocks')).toMatchObject({ ok: false })
  })

  it('forgets full buckets and no others', () => {
    const { clock, quotas: limits } = quotas()
    for (let i = 0; i < 1023; i += 1) {
      const entry = limits.enter(`p${i}`, 'blocks')
      if (entry.ok) entry.leave()
    }
    const held = limits.enter('held', 'blocks')
    clock.now = 10_000
    limits.enter('new', 'blocks')
    expect(limits.size).toBe(2)
    expect(held.ok).toBe(true)
  })
})

describe('verdicts', () => {
  it('honest words cost nothing, wrong data ends it, and nobody is banned for what depends on our own chain', () => {
    expect(['RATE_LIMITED', 'UNAVAILABLE', 'NOT_READY', 'PEER_CLOSED'].map(verdictFor)).toEqual(Array(4).fill('ignore'))
    expect(['BAD_SEAL', 'COMMIT_TOO_FEW', 'NON_CANONICAL'].map(verdictFor)).toEqual(Array(3).fill('ban'))
    expect(['BAD_PARENT', 'BAD_STATE_ROOT', 'BAD_FRAME'].map(verdictFor)).toEqual(Array(3).fill('disconnect'))
    expect(verdictFor('SOMETHING_NEW')).toBe('penalise')
    expect(FAILURE_CODES.filter((code) => verdictFor(code) === 'ignore')).toEqual([])
  })

  it('points add up, decay by half in five minutes and are forgotten', () => {
    const clock = { now: 0 }
    const penalties = new Penalties(() => clock.now)
    for (let i = 1; i <= DISCONNECT_POINTS; i += 1) expect(penalties.add('p')).toBe(i)
    clock.now = 300_000
    expect(penalties.points('p')).toBe(DISCONNECT_POINTS / 2)
    clock.now = 1e9
    expect(penalties.points('p')).toBe(0)
    expect(penalties.points('q')).toBe(0)
  })
})

describe('who may connect', () => {
  const from = (address: string) => ({ remoteAddr: multiaddr(address) }) as MultiaddrConnection

  it('not too many from one address', async () => {
    const connected = ['/ip4/10.0.0.1/tcp/1', '/ip4/10.0.0.1/tcp/2', '/ip6/::1/tcp/3'].map((one) => multiaddr(one))
    const { rules } = new Gater({ banMs: 1, maxPerIp: 2, connected: () => connected, now: () => 0 })
    const denied = (address: string) => rules.denyInboundConnection?.(from(address))
    expect([
      await denied('/ip4/10.0.0.1/tcp/9'),
      await denied('/ip4/10.0.0.2/tcp/9'),
      await denied('/ip6/::1/tcp/9')
    ]).toEqual([true, false, false])
  })

  it('no banned peer, until its ban is over', () => {
    const clock = { now: 0 }
    const gater = new Gater({ banMs: 100, maxPerIp: 2, connected: () => [], now: () => clock.now })
    gater.ban('p')
    expect(gater.isBanned('p')).toBe(true)
    clock.now = 100
    expect(gater.isBanned('p')).toBe(false)
    for (let i = 0; i < 5000; i += 1) gater.ban(`p${i}`)
    expect(gater.isBanned('p0')).toBe(false)
    expect(gater.isBanned('p4999')).toBe(true)
  })
})
