import type { MultiaddrConnection } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { describe, expect, it } from 'vitest'
import { FAILURE_CODES } from '../../src/chain/failures.ts'
import { gaterOf } from '../../src/network/gater.ts'
import { Quotas } from '../../src/network/limits.ts'
import { DISCONNECT_POINTS, Penalties } from '../../src/network/penalties.ts'
import { Sockets } from '../../src/network/sockets.ts'
import { rulingFor } from '../../src/network/verdicts.ts'

function quotas(rule = { burst: 3, perSecond: 2, concurrent: 2 }) {
  const clock = { now: 0 }
  return { clock, quotas: new Quotas({ blocks: rule, votes: rule }, () => clock.now) }
}

describe('quotas', () => {
  it('a burst, then what the rate gives, and says when to come back', () => {
    const { clock, quotas: limits } = quotas({ burst: 3, perSecond: 2, concurrent: 9 })
    const take = (peer = 'p') => limits.enter(peer, 'blocks')
    expect([take(), take(), take()].every(({ ok }) => ok)).toBe(true)
    expect(take()).toEqual({ ok: false, retryAfterMs: 500, flood: false })
    clock.now = 250
    expect(take()).toEqual({ ok: false, retryAfterMs: 250, flood: false })
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

  it('few requests that cost much are paid for afterwards, in blocks and in bytes', () => {
    const clock = { now: 0 }
    const rule = {
      burst: 9,
      perSecond: 9,
      concurrent: 9,
      blocks: { burst: 10, perSecond: 5 },
      bytes: { burst: 1000, perSecond: 100 }
    }
    const limits = new Quotas({ blocks: rule }, () => clock.now)
    const first = limits.enter('p', 'blocks')
    if (!first.ok) throw new Error('refused')
    first.charge({ blocks: 10, bytes: 400 })
    const second = limits.enter('p', 'blocks')
    if (!second.ok) throw new Error('refused with none left but no debt')
    second.charge({ blocks: 5 })
    expect(limits.enter('p', 'blocks')).toMatchObject({ ok: false, retryAfterMs: 1000 })
    second.charge({ bytes: 1600 })
    expect(limits.enter('p', 'blocks')).toMatchObject({ ok: false, retryAfterMs: 10_000 })
    expect(limits.enter('q', 'blocks').ok).toBe(true)
    clock.now = 10_000
    expect(limits.enter('p', 'blocks').ok).toBe(true)
  })

  it('one that keeps to what it is told is no flood, one that goes on asking is', () => {
    const { clock, quotas: limits } = quotas({ burst: 1, perSecond: 1, concurrent: 9 })
    const ask = () => limits.enter('p', 'blocks')
    ask()
    for (let i = 0; i < 1000; i++) {
      const answer = ask()
      if (!answer.ok) {
        expect(answer.flood).toBe(false)
        clock.now += answer.retryAfterMs
      }
    }
    const floods = Array.from({ length: 70 }, ask).filter((answer) => !answer.ok && answer.flood)
    expect(floods.length).toBeGreaterThan(0)
    expect(floods.length).toBeLessThan(10)
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
    const verdicts = (...codes: string[]) => codes.map((code) => rulingFor(code).verdict)
    expect(verdicts('RATE_LIMITED', 'UNAVAILABLE', 'NOT_READY', 'PEER_CLOSED')).toEqual(Array(4).fill('ignore'))
    expect(verdicts('BAD_SEAL', 'COMMIT_TOO_FEW', 'NON_CANONICAL')).toEqual(Array(3).fill('ban'))
    expect(verdicts('BAD_PARENT', 'BAD_STATE_ROOT', 'BAD_FRAME')).toEqual(Array(3).fill('disconnect'))
    expect(verdicts('SOMETHING_NEW', 'PEER_TIMEOUT', 'BAD_STATUS')).toEqual(Array(3).fill('penalise'))
    expect(FAILURE_CODES.filter((code) => rulingFor(code).verdict === 'ignore')).toEqual([])
  })

  it('what is made on purpose is held out for longer than what a failing disk may do', () => {
    const [purpose, disk, ours] = ['COMMIT_REPEATED_SIGNER', 'BAD_EVENTS_ROOT', 'BAD_MMR_ROOT'].map(
      (code) => rulingFor(code).holdMs / 60_000
    )
    expect([purpose, disk, ours]).toEqual([1440, 60, 1])
  })

  it('points add up, decay by half in five minutes and are forgotten', () => {
    const clock = { now: 0 }
    const penalties = new Penalties(() => clock.now)
    const last = { code: 'PEER_TIMEOUT', message: 'no byte came', at: 1 }
    for (let i = 1; i <= DISCONNECT_POINTS; i += 1) expect(penalties.add('p', 1, last)).toBe(i)
    expect(penalties.last('p')).toEqual(last)
    clock.now = 300_000
    expect(penalties.points('p')).toBe(DISCONNECT_POINTS / 2)
    clock.now = 1e9
    expect(penalties.points('p')).toBe(0)
    expect(penalties.last('p')).toBeUndefined()
    expect(penalties.points('q')).toBe(0)
  })
})

describe('who may connect', () => {
  const RULES = {
    self: 'me',
    sockets: new Sockets(9, 9),
    isHeld: () => false,
    isChosen: () => true
  }
  const from = (address: string) =>
    ({ remoteAddr: multiaddr(address), addEventListener: () => {}, send: () => true }) as unknown as MultiaddrConnection

  it('no peer that is held out', async () => {
    const id = peerIdFromString('12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf')
    const held = new Set([id.toString()])
    const rules = gaterOf({ ...RULES, isHeld: (peer) => held.has(peer) })
    const asked = async () => [
      await rules.denyDialPeer?.(id),
      await rules.denyInboundEncryptedConnection?.(id, from('/ip4/10.0.0.1/tcp/1')),
      await rules.denyOutboundEncryptedConnection?.(id, from('/ip4/10.0.0.1/tcp/1'))
    ]
    expect(await asked()).toEqual([true, true, true])
    held.clear()
    expect(await asked()).toEqual([false, false, false])
  })
})
