import { describe, expect, it } from 'vitest'
import type { RequestEnd, SchedulerAction, SchedulerEvent } from '../../src/sync/events.ts'
import { BARRED_MS, FAILED_RANGE_MS } from '../../src/sync/policy/backoff.ts'
import { Scheduler, type SchedulerOptions } from '../../src/sync/scheduler.ts'
import { seeded } from './support/random.ts'

type Request = Extract<SchedulerAction, { type: 'request' }>

/** A scheduler and what it last said. */
class Bench {
  readonly scheduler: Scheduler
  at = 0
  actions: SchedulerAction[] = []

  constructor(options: Partial<SchedulerOptions> = {}) {
    this.scheduler = new Scheduler({ tip: 0, frameBytes: 1 << 20, random: seeded(7), ...options })
    this.do({ type: 'start' })
  }

  do(event: SchedulerEvent): SchedulerAction[] {
    this.actions = this.scheduler.handle(event, this.at)
    return this.actions
  }

  /** A peer that has answered before. */
  peer(peer: string, height: number, earliest = 0): Request[] {
    this.scheduler.peers.set(peer, 0, 0).answeredInFull()
    return this.newcomer(peer, height, earliest)
  }

  newcomer(peer: string, height: number, earliest = 0): Request[] {
    this.do({ type: 'peer', peer, height, earliest })
    return this.requests
  }

  end(request: Request, end: RequestEnd = { kind: 'complete' }): SchedulerAction[] {
    return this.do({ type: 'ended', request: request.request, end })
  }

  /** The request brings `blocks` and ends. */
  bring(request: Request, blocks = request.count, bytes = blocks * 1000, end?: RequestEnd): SchedulerAction[] {
    const first = blocks === 0 ? [] : this.do({ type: 'received', request: request.request, blocks, bytes })
    this.actions = [...first, ...this.end(request, end)]
    return this.actions
  }

  tick(ms: number): Request[] {
    this.at += ms
    this.do({ type: 'tick' })
    return this.requests
  }

  get requests(): Request[] {
    return this.actions.filter((action) => action.type === 'request')
  }

  of<Type extends SchedulerAction['type']>(type: Type): Extract<SchedulerAction, { type: Type }>[] {
    return this.actions.filter((action) => action.type === type) as Extract<SchedulerAction, { type: Type }>[]
  }
}

const only = (requests: Request[]): Request => {
  expect(requests).toHaveLength(1)
  return requests[0] as Request
}

const failure = { code: 'BAD_SEAL', message: 'bad', height: 1 }

describe('the scheduler', () => {
  it('asks each peer for two ranges, the lowest heights first', () => {
    const bench = new Bench()
    const first = bench.peer('a', 1000)
    expect(first.map(({ start, count }) => [start, count])).toEqual([
      [1, 64],
      [65, 64]
    ])
    expect(bench.peer('b', 1000).map(({ peer, start }) => [peer, start])).toEqual([
      ['b', 129],
      ['b', 193]
    ])
  })

  it('asks a peer for one range until it has answered', () => {
    const bench = new Bench()
    const first = only(bench.newcomer('a', 8))
    expect(only(bench.newcomer('b', 8)).start).toBe(5)
    bench.do({ type: 'target', height: 100 })
    expect(bench.requests).toEqual([])
    bench.bring(first)
    expect(bench.requests.map(({ peer }) => peer)).toEqual([])
    bench.do({ type: 'peer', peer: 'a', height: 100, earliest: 0 })
    expect(bench.requests.map(({ peer }) => peer)).toEqual(['a', 'a'])
  })

  describe('with four answers ready that are not checked yet', () => {
    const answered = (ms: number): Bench => {
      const bench = new Bench()
      const first = ['a', 'b', 'c', 'd'].map((id) => only(bench.newcomer(id, 2000)))
      bench.at = ms
      for (const request of first) bench.bring(request, 64, 64 * 24_000)
      return bench
    }
    const busy = ({ scheduler }: Bench) => [...scheduler.peers].map(({ active }) => active)

    it('asks slow peers on: by the time they have answered there is room', () => {
      expect(busy(answered(600))).toEqual([2, 2, 2, 2])
    })

    it('asks fast peers for no more than is needed: they answer at once', () => {
      expect(busy(answered(30))).toEqual([2, 2, 0, 0])
    })
  })

  it('asks for nothing before it is started, at the target, or of a peer that does not hold it', () => {
    const bench = new Bench({ tip: 100 })
    expect(bench.peer('equal', 100)).toEqual([])
    bench.do({ type: 'left', peer: 'equal' })
    expect(bench.peer('pruned', 300, 200)).toEqual([])
    bench.do({ type: 'stop' })
    expect(bench.peer('full', 300)).toEqual([])
    bench.do({ type: 'start' })
    expect(new Set(bench.requests.map(({ peer }) => peer))).toEqual(new Set(['full']))
  })

  it('asks a peer only as far as it is known to hold', () => {
    const bench = new Bench()
    bench.do({ type: 'target', height: 500 })
    expect(bench.peer('a', 40).map(({ start, count }) => [start, count])).toEqual([[1, 40]])
  })

  it('asks who may have it when a certified height is above every status', () => {
    const bench = new Bench({ tip: 50 })
    bench.peer('a', 50)
    bench.do({ type: 'target', height: 60 })
    expect(only(bench.requests)).toMatchObject({ peer: 'a', start: 51, count: 5 })
  })

  it('checks and writes in order whatever the order of arrival', () => {
    const bench = new Bench()
    const [low, high] = bench.peer('a', 128) as [Request, Request]
    bench.bring(high)
    expect(bench.of('verify').map(({ start }) => start)).toEqual([65])
    const highRange = bench.of('verify')[0]?.range as number
    bench.do({ type: 'verified', range: highRange, good: 64, goodBytes: 64_000 })
    expect(bench.of('commit')).toEqual([])
    bench.bring(low)
    const lowRange = bench.of('verify')[0]?.range as number
    bench.do({ type: 'verified', range: lowRange, good: 64, goodBytes: 64_000 })
    expect(bench.of('commit')).toEqual([{ type: 'commit', ranges: [{ range: lowRange, peer: 'a' }] }])
    bench.do({ type: 'committed', applied: 64 })
    expect(bench.of('commit')).toEqual([{ type: 'commit', ranges: [{ range: highRange, peer: 'a' }] }])
    expect(bench.scheduler.tip).toBe(64)
  })

  it('takes a prefix and asks another peer for the rest', () => {
    const bench = new Bench({ requestsPerPeer: 1 })
    const first = only(bench.peer('a', 4))
    bench.peer('b', 4)
    bench.bring(first, 3)
    expect(bench.of('verify')).toMatchObject([{ start: 1, count: 3 }])
    expect(only(bench.requests)).toMatchObject({ peer: 'b', start: 4, count: 1 })
    expect(bench.of('penalise')).toEqual([])
  })

  it('lets the only holder try again, after a pause', () => {
    const bench = new Bench({ requestsPerPeer: 1 })
    bench.bring(only(bench.peer('a', 4)), 2)
    expect(bench.requests).toEqual([])
    expect(bench.tick(200)).toEqual([])
    expect(only(bench.tick(100))).toMatchObject({ peer: 'a', start: 3, count: 2 })
  })

  it('asks a peer that cut its answer short for less', () => {
    const bench = new Bench({ requestsPerPeer: 1 })
    bench.bring(only(bench.peer('a', 1000)), 10)
    expect(only(bench.requests)).toMatchObject({ peer: 'a', start: 65, count: 10 })
  })

  it('honours retry_after, and asks such a peer for less at a time', () => {
    const bench = new Bench()
    const [first, second] = bench.peer('a', 128) as [Request, Request]
    bench.end(first, { kind: 'limited', retryAfterMs: 2000 })
    bench.end(second, { kind: 'limited', retryAfterMs: 2000 })
    expect(bench.tick(1900)).toEqual([])
    expect(only(bench.tick(200))).toMatchObject({ peer: 'a', start: 1 })
    expect(bench.of('penalise')).toEqual([])
    expect(bench.scheduler.peers.get('a')?.failures).toBe(0)
  })

  it('does not let a refusal shut a peer out for ever', () => {
    const bench = new Bench()
    for (const request of bench.peer('a', 8)) bench.end(request, { kind: 'limited', retryAfterMs: 1e12 })
    expect(bench.tick(60_001)).not.toEqual([])
  })

  it('never asks the peer that just failed while another holds the range', () => {
    const bench = new Bench({ requestsPerPeer: 1 })
    const first = only(bench.peer('a', 4))
    bench.end(first, { kind: 'failed', code: 'PEER_TIMEOUT' })
    expect(bench.requests).toEqual([])
    expect(only(bench.peer('b', 4))).toMatchObject({ peer: 'b', start: 1 })
    bench.end(only(bench.requests), { kind: 'limited', retryAfterMs: 60_000 })
    expect(bench.tick(FAILED_RANGE_MS - 1)).toEqual([])
    expect(only(bench.tick(2))).toMatchObject({ peer: 'a', start: 1 })
  })

  it('waits longer after each failure of a peer', () => {
    const bench = new Bench({ requestsPerPeer: 1 })
    let request = only(bench.peer('a', 4))
    const waits: number[] = []
    for (let i = 0; i < 5; i++) {
      bench.end(request, { kind: 'failed', code: 'PEER_TIMEOUT' })
      let waited = 0
      let again: Request[] = []
      while (again.length === 0) {
        again = bench.tick(50)
        waited += 50
      }
      request = only(again)
      waits.push(waited)
    }
    expect(waits).toEqual([250, 500, 1000, 2000, 4000])
  })

  it('gives the ranges of a peer that leaves back at once, and keeps what it sent', () => {
    const bench = new Bench()
    const [first] = bench.peer('a', 8) as [Request]
    bench.peer('b', 8)
    bench.do({ type: 'received', request: first.request, blocks: 3, bytes: 3000 })
    bench.do({ type: 'left', peer: 'a' })
    expect(bench.of('stop')).toHaveLength(2)
    expect(bench.of('verify')).toMatchObject([{ start: 1, count: 3 }])
    expect(bench.requests.map(({ peer, start }) => [peer, start])).toEqual([
      ['b', 4],
      ['b', 5]
    ])
  })

  it('charges a bad block to who sent it, keeps the good ones before, and asks it for nothing more', () => {
    const bench = new Bench()
    const [first, second] = bench.peer('liar', 128) as [Request, Request]
    bench.bring(first)
    const range = bench.of('verify')[0]?.range as number
    bench.do({ type: 'verified', range, good: 10, goodBytes: 10_000, failure })
    expect(bench.of('penalise')).toEqual([{ type: 'penalise', peer: 'liar', failure }])
    expect(bench.of('drop').map(({ request }) => request)).toContain(second.request)
    expect(bench.of('commit')).toHaveLength(1)
    expect(bench.tick(BARRED_MS - 1)).toEqual([])
    bench.do({ type: 'left', peer: 'liar' })
    expect(bench.peer('liar', 128)).toEqual([])
    expect(bench.peer('honest', 128)[0]).toMatchObject({ peer: 'honest', start: 11 })
  })

  it('charges a block that the ledger refuses to who sent it', () => {
    const bench = new Bench()
    const [first] = bench.peer('a', 64) as [Request]
    bench.bring(first)
    const range = bench.of('verify')[0]?.range as number
    bench.do({ type: 'verified', range, good: first.count, goodBytes: 1000 })
    bench.do({ type: 'committed', applied: 3, failure })
    expect(bench.scheduler.tip).toBe(3)
    expect(bench.of('penalise')).toHaveLength(1)
    expect(bench.scheduler.ranges[0]).toMatchObject({ start: 4, status: 'AwaitingDownload' })
  })

  it('asks a pardoned peer again at once', () => {
    const bench = new Bench()
    const [first] = bench.peer('a', 64) as [Request]
    bench.end(first, { kind: 'fault', failure })
    expect(bench.tick(1000)).toEqual([])
    expect(bench.do({ type: 'pardon', peer: 'a' })[0]).toMatchObject({ peer: 'a', start: 1 })
  })

  it('tells of a request that failed, and bars nobody for it', () => {
    const bench = new Bench()
    const [first] = bench.peer('a', 64) as [Request]
    bench.end(first, { kind: 'failed', code: 'PEER_TIMEOUT' })
    const message = 'no whole answer for blocks 1 to 32: PEER_TIMEOUT'
    expect(bench.of('failed')).toEqual([
      { type: 'failed', peer: 'a', failure: { code: 'PEER_TIMEOUT', message, height: 1 } }
    ])
    expect(bench.of('penalise')).toEqual([])
    expect(bench.scheduler.peers.get('a')?.barred(bench.at)).toBe(false)
  })

  it('bars a peer whose answer breaks the protocol', () => {
    const bench = new Bench()
    const [first] = bench.peer('a', 64) as [Request]
    bench.end(first, { kind: 'fault', failure })
    expect(bench.of('penalise')).toHaveLength(1)
    expect(bench.scheduler.ranges.every(({ status }) => status === 'AwaitingDownload')).toBe(true)
  })

  it('asks a second peer when the front lags, once, and takes the first that is done', () => {
    const bench = new Bench({ requestsPerPeer: 1 })
    const slow = only(bench.peer('slow', 8))
    const other = only(bench.peer('fast', 8))
    bench.at += 100
    bench.bring(other)
    expect(bench.requests).toEqual([])
    const copy = only(bench.tick(2000))
    expect(copy).toMatchObject({ peer: 'fast', start: slow.start, count: slow.count })
    expect(bench.tick(5000)).toEqual([])
    bench.bring(copy)
    expect(bench.of('drop')).toMatchObject([{ request: slow.request }])
    expect(bench.of('verify')).toMatchObject([{ request: copy.request, start: 1 }])
  })

  it('asks nobody for a second copy who has not answered yet, as long as somebody has', () => {
    const bench = new Bench({ requestsPerPeer: 1 })
    const slow = only(bench.newcomer('slow', 8))
    const known = only(bench.peer('known', 8))
    for (const id of ['x', 'y']) expect(bench.newcomer(id, 8)).toEqual([])
    bench.at += 100
    bench.bring(known)
    expect(only(bench.tick(2000))).toMatchObject({ peer: 'known', start: slow.start })
  })

  it('asks a newcomer for it if nobody has answered yet', () => {
    const bench = new Bench({ requestsPerPeer: 1 })
    const slow = only(bench.newcomer('slow', 4))
    expect(bench.newcomer('x', 4)).toEqual([])
    expect(only(bench.tick(2000))).toMatchObject({ peer: 'x', start: slow.start })
  })

  it('forgets what gossip brought meanwhile', () => {
    const bench = new Bench()
    const [first] = bench.peer('a', 200) as [Request]
    bench.do({ type: 'tip', height: 70 })
    expect(bench.of('drop').map(({ request }) => request)).toEqual([first.request])
    expect(bench.scheduler.ranges[0]?.start).toBe(65)
    bench.do({ type: 'tip', height: 200 })
    expect(bench.scheduler.ranges).toEqual([])
    expect(bench.tick(1000)).toEqual([])
  })

  it('writes again what the ledger could not, after a second', () => {
    const bench = new Bench({ requestsPerPeer: 1 })
    bench.bring(only(bench.peer('a', 4)))
    const range = bench.of('verify')[0]?.range as number
    bench.do({ type: 'verified', range, good: 4, goodBytes: 4000 })
    bench.do({ type: 'commit-failed' })
    expect(bench.of('commit')).toEqual([])
    bench.tick(1001)
    expect(bench.of('commit')).toEqual([{ type: 'commit', ranges: [{ range, peer: 'a' }] }])
  })

  it('writes small ranges together, and blames the one that sent the bad block', () => {
    const bench = new Bench({ requestsPerPeer: 1, tip: 100 })
    const first = ['a', 'b', 'c', 'd'].flatMap((id) => bench.peer(id, 116))
    expect(first.map(({ start, count }) => [start, count])).toEqual([
      [101, 8],
      [109, 4],
      [113, 4]
    ])
    const ranges: number[] = []
    for (const request of first.toReversed()) {
      bench.bring(request)
      const range = bench.of('verify')[0]?.range as number
      ranges.unshift(range)
      bench.do({ type: 'verified', range, good: request.count, goodBytes: 1000 })
    }
    const peers = first.map(({ peer }) => peer)
    expect(bench.of('commit')).toEqual([
      { type: 'commit', ranges: ranges.map((range, i) => ({ range, peer: peers[i] })) }
    ])
    // The second block of the second range is bad: the first range and one block are written, the third waits.
    bench.do({ type: 'committed', applied: 9, failure })
    expect(bench.scheduler.tip).toBe(109)
    expect(bench.of('penalise')).toEqual([{ type: 'penalise', peer: peers[1], failure }])
    expect(bench.scheduler.ranges.map(({ start, status }) => [start, status])).toEqual([
      [110, 'Downloading'],
      [113, 'AwaitingCommit']
    ])
  })

  it('fetches again what a dead checker lost, and blames nobody', () => {
    const bench = new Bench({ requestsPerPeer: 1 })
    bench.bring(only(bench.peer('a', 4)))
    const range = bench.of('verify')[0]?.range as number
    bench.do({ type: 'verify-failed', range })
    expect(only(bench.requests)).toMatchObject({ peer: 'a', start: 1, count: 4 })
    expect(bench.of('penalise')).toEqual([])
  })

  it('cuts a request when its next frame would not fit, without blame', () => {
    const frameBytes = 256 * 1024
    const lookAheadBytes = 4 * (2 * frameBytes + 512 * 1024)
    const bench = new Bench({ frameBytes, lookAheadBytes, requestsPerPeer: 1 })
    const first = only(bench.peer('a', 1000))
    for (let i = 0; i < 64 && bench.of('stop').length === 0; i++) {
      bench.do({ type: 'received', request: first.request, blocks: 1, bytes: frameBytes })
      expect(bench.scheduler.held).toBeLessThanOrEqual(lookAheadBytes)
    }
    expect(bench.of('stop')).toMatchObject([{ request: first.request }])
    expect(bench.of('verify')).toMatchObject([{ request: first.request, start: 1 }])
    expect(bench.scheduler.peers.get('a')?.failures).toBe(0)
  })

  it('refuses a look-ahead that cannot hold a few frames', () => {
    expect(() => new Bench({ lookAheadBytes: 1 << 20 })).toThrow(
      expect.objectContaining({ code: 'SYNC_LOOKAHEAD_TOO_SMALL' })
    )
  })
})
