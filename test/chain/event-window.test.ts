import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EventWindow } from '../../src/chain/event-window.ts'
import { concatBytes, toHex, u32be } from '../../src/codec/bytes.ts'
import { sha256 } from '../../src/crypto/sha256.ts'
import { runs } from '../support/runs.ts'

const W = 1000

function idOf(n: number): Uint8Array {
  return sha256(u32be(n))
}

/** Ids that collide in all of the words that place them, now and then; a test of probing, and of comparing all bytes. */
function closeId(n: number): Uint8Array {
  const id = new Uint8Array(32)
  id[0] = n % 2
  id[4] = n % 3
  id[31] = n
  return id
}

/** The rule's memory as plain sets. */
class Oracle {
  blocks: { timestamp: number; ids: string[] }[] = []

  add(timestamp: number, ids: readonly Uint8Array[]): void {
    this.blocks.push({ timestamp, ids: ids.map(toHex) })
  }

  prune(tip: number): void {
    this.blocks = this.blocks.filter(({ timestamp }) => timestamp >= tip - 2 * W)
  }

  get ids(): Set<string> {
    return new Set(this.blocks.flatMap(({ ids }) => ids))
  }
}

describe('the event window', () => {
  for (const [name, make, universe] of [
    ['spread ids', idOf, 400],
    ['colliding ids', closeId, 256]
  ] as const) {
    it(`remembers exactly the blocks of 2W, with repeats: ${name}`, () => {
      const block = fc.record({
        step: fc.oneof(fc.nat(300), fc.constantFrom(0, 1, 1999, 2000, 2001, 5000)),
        ids: fc.array(fc.nat(universe - 1), { maxLength: 40 }),
        prune: fc.boolean()
      })
      fc.assert(
        fc.property(fc.array(block, { maxLength: 40 }), (blocks) => {
          const window = new EventWindow(W)
          const oracle = new Oracle()
          let timestamp = 1_700_000_000_000
          for (const { step, ids, prune } of blocks) {
            timestamp += step
            const list = ids.map(make)
            window.add(timestamp, concatBytes(...list))
            oracle.add(timestamp, list)
            if (prune) {
              window.prune(timestamp)
              oracle.prune(timestamp)
            }
            const expected = oracle.ids
            expect(window.size).toBe(expected.size)
            for (const id of list) expect(window.has(id)).toBe(true)
          }
          const expected = oracle.ids
          for (let n = 0; n < universe; n++) expect(window.has(make(n))).toBe(expected.has(toHex(make(n))))
        }),
        runs(60)
      )
    })
  }

  it('answers the rule of §3 for every block that may follow, as the whole chain would', () => {
    const block = fc.record({
      step: fc.integer({ min: 1, max: 900 }),
      offsets: fc.array(fc.integer({ min: -W, max: W }))
    })
    fc.assert(
      fc.property(fc.array(block, { maxLength: 30 }), fc.integer({ min: 1, max: 3000 }), (blocks, ahead) => {
        const window = new EventWindow(W)
        const chain: { timestamp: number; events: { e: number; id: Uint8Array }[] }[] = []
        let tip = 1_700_000_000_000
        let n = 0
        for (const { step, offsets } of blocks) {
          tip += step
          const events = offsets.map((offset) => ({ e: tip + offset, id: idOf(n++) }))
          chain.push({ timestamp: tip, events })
          window.add(tip, concatBytes(...events.map(({ id }) => id)))
          window.prune(tip)
        }
        const t = tip + ahead
        for (const { e, id } of chain.flatMap(({ events }) => events)) {
          if (Math.abs(t - e) > W) continue
          const named = chain.filter(({ timestamp }) => timestamp >= e - W)
          const repeated = named.some(({ events }) => events.some((event) => toHex(event.id) === toHex(id)))
          expect(window.has(id)).toBe(repeated)
        }
      }),
      runs(60)
    )
  })

  it('grows through pages and tables, forgets, gives its memory back, and grows again', () => {
    const window = new EventWindow(W)
    const perBlock = 500
    const empty = window.bytes
    let timestamp = 0
    for (let round = 0; round < 2; round++) {
      const start = timestamp
      for (let block = 0; block < 60; block++) {
        timestamp += 50
        window.add(timestamp, concatBytes(...Array.from({ length: perBlock }, (_, i) => idOf(timestamp * 1000 + i))))
        window.prune(timestamp)
      }
      expect(timestamp - start).toBe(3000)
      // Blocks of the last 2000 ms, both ends included.
      expect(window.size).toBe(41 * perBlock)
      expect(window.bytes).toBeLessThan(window.size * 60)
      expect(window.has(idOf((timestamp - 2000) * 1000))).toBe(true)
      expect(window.has(idOf((timestamp - 2050) * 1000))).toBe(false)
      timestamp += 2001
      window.prune(timestamp)
      expect(window.size).toBe(0)
      expect(window.bytes).toBeLessThan(empty * 3)
    }
  })

  it('refuses blocks out of order and lists that are none', () => {
    const window = new EventWindow(W)
    window.add(10, idOf(1))
    window.add(10, idOf(2))
    expect(() => window.add(9, idOf(3))).toThrow(RangeError)
    expect(() => window.add(11, new Uint8Array(33))).toThrow(RangeError)
    expect(window.size).toBe(2)
  })
})
