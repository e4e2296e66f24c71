import { multiaddr } from '@multiformats/multiaddr'
import { describe, expect, it } from 'vitest'
import { dialable } from '../../src/network/addresses.ts'
import { KnownPeers, NO_RECORDS } from '../../src/network/known-peers.ts'
import { Refill } from '../../src/network/refill.ts'
import type { Hold, PeerRecord } from '../../src/store/peer-store.ts'
import { Random } from '../support/random.ts'

const DAY = 24 * 3_600_000

function hold(until: number, verdict: Hold['verdict'] = 'ban'): Hold {
  return { verdict, code: 'BAD_SEAL', message: 'what it did', since: 0, until }
}

/** Records in memory that show what would be on disk. */
function book(loaded: readonly PeerRecord[] = [], clock = { now: 100 * DAY }) {
  const disk = new Map<string, PeerRecord>(loaded.map((record) => [record.peerId, record]))
  const records = {
    loaded,
    save: (record: PeerRecord) => void disk.set(record.peerId, record),
    remove: (peerId: string) => void disk.delete(peerId)
  }
  return { known: new KnownPeers(records, () => clock.now), clock, disk }
}

describe('the address book', () => {
  it('remembers where a peer was met, the newest first, and no more than eight places', () => {
    const { known, disk } = book()
    for (let i = 0; i < 10; i++) known.met('p', [`/${i}`, `/${i}`], true)
    known.met('p', ['/5'], true)
    expect(known.withAddress()).toEqual([
      { peerId: 'p', addresses: ['/5', '/9', '/8', '/7', '/6', '/4', '/3', '/2'], seenAt: 100 * DAY, reached: true }
    ])
    expect(disk.get('p')).toEqual(known.withAddress()[0])
  })

  it('a hold ends by itself, or is lifted; a shorter one does not cut a longer one short', () => {
    const { known, clock } = book()
    known.met('p', ['/1'], true)
    known.hold('p', hold(clock.now + 1000))
    known.hold('p', hold(clock.now + 10, 'disconnect'))
    expect(known.held()).toMatchObject([{ peerId: 'p', addresses: ['/1'], hold: { verdict: 'ban' } }])
    clock.now += 1000
    expect(known.holdOn('p')).toBeUndefined()
    known.hold('p', hold(clock.now + 10, 'disconnect'))
    expect(known.release('p')).toBe(true)
    expect(known.release('p')).toBe(false)
    expect(known.held()).toEqual([])
    expect(known.withAddress()).toHaveLength(1)
  })

  it('opened again it has what is of use still, and forgets the rest on disk too', () => {
    const now = 100 * DAY
    const { known, disk } = book([
      { peerId: 'fresh', addresses: ['/1'], seenAt: now - DAY },
      { peerId: 'old', addresses: ['/2'], seenAt: now - 31 * DAY },
      { peerId: 'banned', addresses: [], seenAt: 0, hold: hold(now + DAY) },
      { peerId: 'served', addresses: [], seenAt: 0, hold: hold(now - 1) }
    ])
    expect([...disk.keys()]).toEqual(['fresh', 'banned'])
    expect(known.holdOn('banned')?.code).toBe('BAD_SEAL')
    expect(known.size).toBe(2)
  })

  it('is bounded under a flood of peer ids: bans and recent peers stay longest', () => {
    const { known, clock, disk } = book()
    known.hold('banned', hold(clock.now + DAY))
    known.met('first', ['/1'], false)
    for (let i = 0; i < 4200; i++) {
      clock.now++
      known.met(`p${i}`, [`/${i}`], false)
    }
    expect(known.size).toBe(4096)
    expect(disk.size).toBe(4096)
    expect(disk.has('first')).toBe(false)
    expect(disk.has('p4199')).toBe(true)
    expect(known.holdOn('banned')).toBeDefined()
  })
})

describe('long sessions and floods', () => {
  it('a session that lasts is of those who are met, written down once an hour', () => {
    const { known, clock, disk } = book()
    known.met('p', ['/ip4/1.1.1.1/tcp/1'], true)
    clock.now += 60_000
    known.stillThere('p')
    expect(disk.get('p')?.seenAt).toBe(100 * DAY)
    clock.now += 40 * DAY
    known.stillThere('p')
    expect(disk.get('p')?.seenAt).toBe(clock.now)
    known.stillThere('nobody')
    expect(known.size).toBe(1)
  })

  it('ids that come from one host push nobody else out', () => {
    const { known, clock } = book()
    known.met('friend', ['/ip4/1.1.1.1/tcp/1'], true)
    known.met('guest', ['/ip4/2.2.2.2/tcp/1'], false)
    for (let i = 0; i < 500; i++) {
      clock.now++
      known.met(`p${i}`, [`/ip4/6.6.6.6/tcp/${i}`], false)
    }
    const ids = known.withAddress().map(({ peerId }) => peerId)
    expect(ids).toHaveLength(18)
    expect(ids).toContain('friend')
    expect(ids).toContain('guest')
    expect(ids).toContain('p499')
  })

  it('those whom we reached ourselves and bans outlast a flood from many hosts; short holds do not', () => {
    const { known, clock } = book()
    known.met('friend', ['/ip4/1.1.1.1/tcp/1'], true)
    known.hold('banned', hold(clock.now + DAY))
    known.hold('held', hold(clock.now + 60_000, 'disconnect'))
    for (let i = 0; i < 5000; i++) {
      clock.now++
      known.met(`p${i}`, [`/ip4/6.6.${i >> 8}.${i & 255}/tcp/1`], false)
    }
    expect(known.size).toBe(4096)
    expect(known.withAddress().some(({ peerId }) => peerId === 'friend')).toBe(true)
    expect(known.held().map(({ peerId }) => peerId)).toEqual(['banned'])
  })
})

describe('refilling', () => {
  function refill(open: number, connected: readonly string[] = []) {
    const { known, clock } = book()
    for (const peer of ['a', 'b', 'c', 'd']) known.met(peer, [`/ip4/1.2.3.4/${peer}`], true)
    known.hold('d', hold(clock.now + DAY))
    const dialled: string[] = []
    const random = new Random(3)
    const it = new Refill({
      wanted: 3,
      known,
      dialer: { add: (_, { peerId } = {}) => void dialled.push(peerId ?? '') },
      open: () => open,
      isConnected: (peer) => connected.includes(peer),
      random: () => random.float()
    })
    return { it, dialled }
  }

  it('dials as many known peers as are missing; none that is connected or held out', () => {
    const { it: some, dialled } = refill(1, ['a'])
    expect(some.tick()).toBe(2)
    expect(dialled.sort()).toEqual(['b', 'c'])
  })

  it('dials nobody while there are enough', () => {
    const { it: enough, dialled } = refill(3)
    expect(enough.tick()).toBe(0)
    expect(dialled).toEqual([])
  })

  it('tries others each time, so that dead addresses do not keep it from live ones', () => {
    const { it: one, dialled } = refill(2)
    for (let i = 0; i < 50; i++) one.tick()
    expect(new Set(dialled)).toEqual(new Set(['a', 'b', 'c']))
  })
})

it('of the addresses that a peer claims only those of its own host are kept', () => {
  const claimed = ['/ip4/10.0.0.9/tcp/9645', '/ip4/127.0.0.1/tcp/9645', '/dns4/victim.example/tcp/80'].map((one) =>
    multiaddr(one)
  )
  expect(dialable(claimed, multiaddr('/ip4/10.0.0.9/tcp/51234'), 'p')).toEqual(['/ip4/10.0.0.9/tcp/9645/p2p/p'])
  expect(dialable(claimed, multiaddr('/dns4/victim.example/tcp/1'), 'p')).toEqual([])
  expect(new KnownPeers(NO_RECORDS, Date.now).size).toBe(0)
})
