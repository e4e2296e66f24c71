import { multiaddr } from '@multiformats/multiaddr'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { networksOf } from '../../src/network/addresses.ts'
import { NO_GOSSIP } from '../../src/network/gossip-admission.ts'
import { type Holder, Rank, useOf, whoLeaves } from '../../src/network/places.ts'
import { runs } from '../support/runs.ts'

interface Peer extends Holder {
  readonly name: string
}

let clock = 0

function peer(address: string, rank: Rank = Rank.OTHER, use = 0): Peer {
  clock += 1
  const networks = networksOf(multiaddr(`/ip4/${address}/tcp/1`))
  return { name: `${address} #${clock}`, networks, rank, use, since: clock }
}

const PLACES = { max: 20, perHost: 4 }

/** Comes in, and who has to leave leaves. @returns whether it stayed */
function come(held: Peer[], newcomer: Peer, places = PLACES): boolean {
  const leaves = whoLeaves(newcomer, held, places)
  if (leaves === newcomer) return false
  if (leaves !== undefined) held.splice(held.indexOf(leaves), 1)
  held.push(newcomer)
  return true
}

const byte = fc.integer({ min: 1, max: 4 })
/** Addresses in few networks, so that these are crowded. */
const address = fc.tuple(byte, byte, byte).map(([a, b, c]) => `10.${a}.${b}.${c}`)
const rank = fc.constantFrom<Rank>(Rank.OTHER, Rank.OTHER, Rank.OTHER, Rank.KNOWN, Rank.CHOSEN, Rank.VALIDATOR)
const arrivals = fc.array(fc.tuple(address, rank, fc.integer({ min: -20, max: 20 })), { maxLength: 120 })

describe('places', () => {
  it('are never more than there are, nor those of strangers of one host', () => {
    fc.assert(
      fc.property(arrivals, (all) => {
        const held: Peer[] = []
        for (const one of all) {
          come(held, peer(...one))
          expect(held.length).toBeLessThanOrEqual(PLACES.max)
          const hosts = new Map<string, number>()
          for (const { networks, rank } of held) {
            const host = networks.at(-1) as string
            if (rank < Rank.CHOSEN) hosts.set(host, (hosts.get(host) ?? 0) + 1)
          }
          expect(Math.max(0, ...hosts.values())).toBeLessThanOrEqual(PLACES.perHost)
        }
      }),
      runs(200)
    )
  })

  it('of one host are so many and no more, however many are free', () => {
    const held: Peer[] = []
    const stayed = Array.from({ length: 6 }, () => come(held, peer('10.1.1.1')))
    expect(stayed).toEqual([true, true, true, true, false, false])
    expect(come(held, peer('10.1.1.1', Rank.CHOSEN))).toBe(true)
    expect([come(held, peer('10.1.1.1', Rank.OTHER, 1)), held.length]).toEqual([true, 5])
  })

  it('a higher rank never makes room for a lower one, and finds room while one is there', () => {
    fc.assert(
      fc.property(arrivals, arrivals, (before, after) => {
        const held: Peer[] = []
        for (const one of before) come(held, peer(...one))
        for (const one of after) {
          const newcomer = peer(...one)
          const low = (of: Peer): boolean => of.rank <= Rank.KNOWN
          const leaves = whoLeaves(newcomer, held, PLACES)
          // Of those who are merely known there may be too many.
          if (leaves !== undefined && !low(leaves)) expect(leaves.rank).toBeLessThanOrEqual(newcomer.rank)
          if (newcomer.rank === Rank.VALIDATOR && held.some(({ rank }) => rank < Rank.VALIDATOR)) {
            expect(leaves).not.toBe(newcomer)
          }
          come(held, newcomer)
        }
      }),
      runs(200)
    )
  })

  it('whatever came from few addresses, an honest stranger from elsewhere gets in and stays, and so do those we know', () => {
    const few = fc.array(
      fc.tuple(fc.constantFrom('10.1.1.1', '10.1.1.2', '10.9.1.1'), fc.integer({ min: -20, max: 20 })),
      {
        minLength: 10,
        maxLength: 100
      }
    )
    // As many as there are places: at each host fewer than its own bound.
    const places = { max: 8, perHost: 16 }
    fc.assert(
      fc.property(few, few, (before, after) => {
        const held: Peer[] = []
        for (const [from, use] of before) come(held, peer(from, Rank.OTHER, use), places)
        const honest = [
          peer('10.2.1.1'),
          peer('172.16.1.1', Rank.VALIDATOR, -20),
          peer('10.1.1.1', Rank.VALIDATOR, -20),
          peer('10.1.1.2', Rank.KNOWN, -20)
        ]
        for (const one of honest) expect(come(held, one, places)).toBe(true)
        for (const [from, use] of after) come(held, peer(from, Rank.OTHER, use), places)
        for (const one of honest) expect(held).toContain(one)
      }),
      runs(200)
    )
  })

  it('who leaves is of the least use where it is most crowded; among equals the newest', () => {
    const held = [peer('10.1.1.1', 0, 5), peer('10.1.1.1', 0, 1), peer('10.1.1.2'), peer('10.2.1.1', 0, -9)]
    const places = { max: 4, perHost: 9 }
    expect(whoLeaves(peer('10.3.1.1'), held, places)).toBe(held[1])
    const own = peer('10.1.1.1', 0, 1)
    expect(whoLeaves(own, held, places)).toBe(own)
    const better = peer('10.1.1.1', 0, 2)
    expect(whoLeaves(better, held, places)).toBe(held[1])
    expect(whoLeaves(peer('10.3.1.1'), held, { max: 5, perHost: 9 })).toBeUndefined()
  })

  it('who sends only what is of no use is of the least, whatever its score; who sends some that is of use is not', () => {
    const score = fc.integer({ min: -1000, max: 1000 })
    const count = fc.integer({ min: 0, max: 10_000 })
    fc.assert(
      fc.property(fc.array(fc.tuple(score, count, count), { maxLength: 10 }), score, count, (others, high, wasted) => {
        // One that is at most as useless as useful.
        const held = others.map(([score, useless, more]) =>
          peer('10.1.1.1', Rank.OTHER, useOf(score, { accepted: useless + more, useless, dropped: 0 }))
        )
        const waster = peer('10.1.1.1', Rank.OTHER, useOf(high, { accepted: 0, useless: 16, dropped: wasted }))
        const newcomer = peer('10.1.1.1', Rank.OTHER, useOf(0, NO_GOSSIP))
        const all = [...held, waster]
        expect(whoLeaves(newcomer, all, { max: all.length, perHost: 99 })).toBe(waster)
      }),
      runs(200)
    )
    // What comes late in a height is of no use, and anybody's.
    expect(useOf(3, { accepted: 0, useless: 15, dropped: 0 })).toBe(3)
    expect(useOf(3, { accepted: 100, useless: 1000, dropped: 0 })).toBe(3)
  })

  it('networks are prefixes of the address', () => {
    const of = (text: string) => networksOf(multiaddr(text))
    expect(of('/ip4/10.1.2.3/tcp/1')).toEqual(['10.1', '10.1.2', '10.1.2.3'])
    expect(of('/ip6/::ffff:10.1.2.3/tcp/1')).toEqual(['10.1', '10.1.2', '10.1.2.3'])
    expect(of('/ip6/2001:db8:1:2::5/tcp/1')).toEqual(['2001:db8', '2001:db8:1', '2001:db8:1:2'])
    expect(of('/ip6/2001:db8::5/tcp/1')).toEqual(['2001:db8', '2001:db8:0', '2001:db8:0:0'])
    expect(of('/dns4/name/tcp/1')).toEqual(['name', 'name', 'name'])
  })
})
