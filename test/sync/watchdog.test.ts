import { describe, expect, it } from 'vitest'
import { Meter, progressLine } from '../../src/sync/progress.ts'
import { Scheduler } from '../../src/sync/scheduler.ts'
import type { SyncState } from '../../src/sync/types.ts'
import { diagnose, Watchdog } from '../../src/sync/watchdog.ts'

const scheduler = (tip = 10) => {
  const it = new Scheduler({ tip, frameBytes: 1 << 20, random: () => 0.5 })
  it.handle({ type: 'start' }, 0)
  return it
}

describe('the diagnosis of a stall', () => {
  it('NO_PEERS: nobody is connected', () => {
    const s = scheduler()
    s.handle({ type: 'target', height: 20 }, 0)
    expect(diagnose(s, 0)).toMatchObject({ code: 'NO_PEERS', message: expect.stringMatching(/block 11 of 20/) })
  })

  it('NO_SOURCE: those who are connected have pruned it', () => {
    const s = scheduler()
    s.handle({ type: 'peer', peer: 'a', height: 50, earliest: 30 }, 0)
    expect(diagnose(s, 0)).toMatchObject({ code: 'NO_SOURCE', message: expect.stringMatching(/oldest .* is 30/) })
  })

  it('RATE_LIMITED: all make us wait', () => {
    const s = scheduler()
    const [request] = s.handle({ type: 'peer', peer: 'a', height: 12, earliest: 0 }, 0)
    if (request?.type !== 'request') throw new Error('no request')
    s.handle({ type: 'ended', request: request.request, end: { kind: 'limited', retryAfterMs: 20_000 } }, 0)
    expect(diagnose(s, 5000)).toMatchObject({ code: 'RATE_LIMITED', message: expect.stringMatching(/15 s/) })
  })

  it('PEERS_FAILING: with their reasons', () => {
    const s = scheduler()
    const [request] = s.handle({ type: 'peer', peer: 'a', height: 12, earliest: 0 }, 0)
    if (request?.type !== 'request') throw new Error('no request')
    s.handle({ type: 'ended', request: request.request, end: { kind: 'failed', code: 'PEER_TIMEOUT' } }, 0)
    expect(diagnose(s, 0)).toMatchObject({ code: 'PEERS_FAILING', message: expect.stringMatching(/PEER_TIMEOUT/) })
  })

  it('PEERS_FAILING: those who have it sent bad data, until when, and what would help', () => {
    const s = scheduler()
    const [request] = s.handle({ type: 'peer', peer: 'a', height: 12, earliest: 0 }, 0)
    if (request?.type !== 'request') throw new Error('no request')
    const failure = { code: 'TOO_MUCH', message: 'more than asked', height: 11 }
    s.handle({ type: 'ended', request: request.request, end: { kind: 'fault', failure } }, 0)
    const { code, message } = diagnose(s, 60_000)
    expect(code).toBe('PEERS_FAILING')
    expect(message).toMatch(/^1 of 1 peers have block 11 of 12 and sent bad data \(TOO_MUCH\): .* in 540 s; .*unban/)
  })

  it('PEERS_FAILING: also while one of them is asked again', () => {
    const s = scheduler()
    const [request] = s.handle({ type: 'peer', peer: 'a', height: 12, earliest: 0 }, 0)
    if (request?.type !== 'request') throw new Error('no request')
    s.handle({ type: 'ended', request: request.request, end: { kind: 'failed', code: 'PEER_TIMEOUT' } }, 0)
    expect(s.handle({ type: 'tick' }, 1000)).toMatchObject([{ type: 'request' }])
    expect(diagnose(s, 1000)).toMatchObject({ code: 'PEERS_FAILING', message: expect.stringMatching(/PEER_TIMEOUT/) })
  })

  it('NO_PROGRESS: it is under way, where it can be seen', () => {
    const s = scheduler()
    const [request] = s.handle({ type: 'peer', peer: 'a', height: 12, earliest: 0 }, 0)
    expect(diagnose(s, 0)).toMatchObject({
      code: 'NO_PROGRESS',
      message: expect.stringMatching(/Downloading .* 1 of 1 peers/)
    })
    if (request?.type !== 'request') throw new Error('no request')
    s.handle({ type: 'received', request: request.request, blocks: 2, bytes: 2 }, 0)
    s.handle({ type: 'ended', request: request.request, end: { kind: 'complete' } }, 0)
    expect(diagnose(s, 0)).toMatchObject({ code: 'NO_PROGRESS', message: expect.stringMatching(/Verifying .* load/) })
  })
})

describe('the watchdog', () => {
  const found = { code: 'NO_PEERS' as const, message: 'none' }
  const other = { code: 'NO_SOURCE' as const, message: 'none' }

  it('stalls after the time without a block, tells once, and resumes', () => {
    const dog = new Watchdog(1000)
    dog.reset(5, 0)
    expect(dog.check(5, 999, undefined, () => found)).toBeUndefined()
    expect(dog.check(5, 1000, undefined, () => found)).toBe('stalled')
    expect(dog.stall).toEqual({ since: 0, ...found })
    expect(dog.check(5, 1500, undefined, () => found)).toBeUndefined()
    expect(dog.check(5, 1600, undefined, () => other)).toBe('changed')
    expect(dog.check(6, 2000, undefined, () => found)).toBe('resumed')
    expect(dog.stall).toBeUndefined()
    expect(dog.check(6, 2999, undefined, () => found)).toBeUndefined()
  })

  it('does not wait for a fault of our own', () => {
    const dog = new Watchdog(1000)
    dog.reset(5, 0)
    expect(dog.check(5, 1, { code: 'LEDGER_FAILED', message: 'disk full' }, () => found)).toBe('stalled')
    expect(dog.stall).toMatchObject({ code: 'LEDGER_FAILED' })
  })
})

describe('progress', () => {
  it('counts over the last ten seconds', () => {
    const meter = new Meter(0)
    for (let at = 0; at < 20_000; at += 100) meter.add(10, 1000, at)
    const { blocksPerSecond, bytesPerSecond } = meter.rates(20_000)
    expect(blocksPerSecond).toBeCloseTo(100, 0)
    expect(bytesPerSecond).toBeCloseTo(10_000, -2)
    expect(meter.rates(60_000).blocksPerSecond).toBe(0)
  })

  it('is one line with ETA, share, rates and a letter a range', () => {
    const range = (status: SyncState['ranges'][number]['status']) => ({
      start: 1,
      count: 1,
      status,
      seconds: 0,
      attempts: 1,
      peers: []
    })
    const state: SyncState = {
      strategy: 'range',
      height: 250,
      targetHeight: 1000,
      blocksPerSecond: 10,
      bytesPerSecond: 2_500_000,
      etaSeconds: 75,
      peers: 3,
      heldBytes: 0,
      boundBytes: 64,
      stalled: undefined,
      ranges: [range('Committing'), range('Verifying'), range('Downloading'), range('AwaitingDownload')],
      lastRun: undefined
    }
    expect(progressLine(state)).toBe('1m15s (25.00%) 250/1000 10.0 blocks/s 2.5 MB/s 3 peers CVD_')
    expect(progressLine({ ...state, etaSeconds: undefined, ranges: [] })).toMatch(/^\? .* peers$/)
    expect(progressLine({ ...state, etaSeconds: 7300 })).toMatch(/^2h01m/)
  })
})
