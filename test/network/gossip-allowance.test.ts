import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { costOf, GossipAllowance, type Reservation } from '../../src/network/gossip-allowance.ts'
import { TOPICS } from '../../src/network/topics.ts'
import type { Topic } from '../../src/network/types.ts'
import { runs } from '../support/runs.ts'

function setUp(validators: readonly string[] = []) {
  const clock = { now: 0 }
  const allowance = new GossipAllowance({
    isValidator: (peer) => validators.includes(peer),
    now: () => clock.now
  })
  /** Whether a message was looked at, which came to nothing. */
  const useless = (peer: string, topic: Topic, bytes = 200): boolean => {
    const reservation = allowance.reserve(peer, topic, bytes)
    reservation?.settle(1)
    return reservation !== undefined
  }
  return { clock, allowance, useless }
}

const topic = fc.constantFrom(...TOPICS)
const size = fc.oneof(fc.nat(500), fc.nat(1 << 20), fc.constant(4 << 20))

describe('the allowance for gossip that is of no use', () => {
  it('bounds what a peer, and all strangers together, may cost, however they send', () => {
    const sent = fc.array(
      fc.record({ peer: fc.nat(5), topic, bytes: size, pause: fc.nat(300), atOnce: fc.integer({ min: 1, max: 30 }) }),
      { maxLength: 80 }
    )
    fc.assert(
      fc.property(sent, (steps) => {
        const { clock, allowance } = setUp(['p0'])
        const spent = new Map<string, number>()
        let strangers = 0
        const known = new Set<string>()
        for (const { peer, topic, bytes, pause, atOnce } of steps) {
          clock.now += pause
          const id = `p${peer}`
          known.add(`${id} ${topic}`)
          // Not judged before the next one comes: what is in work is paid for.
          const inWork: Reservation[] = []
          for (let i = 0; i < atOnce; i++) {
            const reservation = allowance.reserve(id, topic, bytes)
            if (reservation !== undefined) inWork.push(reservation)
          }
          for (const reservation of inWork) reservation.settle(1)
          const cost = inWork.length * costOf(topic, bytes)
          spent.set(`${id} ${topic}`, (spent.get(`${id} ${topic}`) ?? 0) + cost)
          if (peer > 0) strangers += cost
        }
        // A full bucket pays for the largest message, whatever that costs.
        const largest = costOf('events', 4 << 20)
        const seconds = clock.now / 1000
        for (const cost of spent.values()) expect(cost).toBeLessThanOrEqual(4000 + 200 * seconds + largest)
        expect(strangers).toBeLessThanOrEqual(4000 + 500 * seconds + known.size * (100 + 4 * seconds + largest))
      }),
      runs(200)
    )
  })

  it('costs nothing who sends what is of use, however much and however slowly it is judged', () => {
    const { allowance } = setUp()
    for (let i = 0; i < 20_000; i++) {
      const reservation = allowance.reserve('p', 'events', 20_000)
      if (reservation === undefined) throw new Error(`not looked at after ${i}`)
      reservation.settle(0)
    }
  })

  it('of strangers’ floods leaves validators all of theirs, and each other peer its small share', () => {
    const { useless, clock } = setUp(['v'])
    for (let i = 0; i < 100; i++) while (useless(`flood${i}`, 'events', 20_000));
    expect(useless('flood0', 'vote')).toBe(true)
    for (let i = 0; i < 3000; i++) expect(useless('v', 'vote')).toBe(true)
    for (let i = 0; i < 90; i++) expect(useless('quiet', 'vote')).toBe(true)
    let more = 0
    while (useless('quiet', 'vote')) more++
    expect(more).toBeLessThan(20)
    clock.now += 1000
    expect(useless('quiet', 'vote')).toBe(true)
  })

  it('is used up topic by topic', () => {
    const { useless } = setUp(['v'])
    while (useless('v', 'events'));
    expect(useless('v', 'vote')).toBe(true)
    expect(useless('v', 'events')).toBe(false)
  })

  it('lets each peer send what came first from another, and not much more', () => {
    const { allowance, useless } = setUp()
    const isHeard = (): boolean => allowance.isOpen('honest', 'vote')
    for (let i = 0; i < 100_000; i++) {
      allowance.first(200)
      allowance.copy('honest', 200)
      if (i % 1000 === 0) expect(isHeard()).toBe(true)
    }
    // Of blocks too, as many as a second brings, all of which come a moment later.
    for (let round = 0; round < 100; round++) {
      for (let i = 0; i < 10; i++) allowance.first(1 << 20)
      for (let i = 0; i < 10; i++) allowance.copy('honest', 1 << 20)
      expect(isHeard()).toBe(true)
    }
    let copies = 0
    while (allowance.isOpen('parrot', 'vote')) {
      allowance.copy('parrot', 200)
      copies++
    }
    expect(copies).toBeLessThan(1000)
    expect(useless('parrot', 'vote')).toBe(false)
  })

  it('is forgotten of peers that come and go', () => {
    const { clock, allowance, useless } = setUp()
    for (let i = 0; i < 5000; i++) {
      clock.now += 100
      useless(`p${i}`, 'vote')
    }
    expect(allowance.size).toBeLessThanOrEqual(1100)
  })
})
