import fc from 'fast-check'
import { expect, test } from 'vitest'
import { KeyRuns } from '../../src/chain/key-runs.ts'
import { compareBytes, concatBytes, toHex, u32be } from '../../src/codec/bytes.ts'
import { sha256 } from '../../src/crypto/sha256.ts'
import { runs } from '../support/runs.ts'

/** Few, so that they come again; some differ only where sorting does not look. */
const key = fc
  .tuple(fc.nat({ max: 40 }), fc.boolean())
  .map(([number, alike]) => (alike ? new Uint8Array(32).fill(number, 31) : sha256(u32be(number))))

test('every event is in one run of its key, those of a key in their order, neighbours beside each other', () => {
  fc.assert(
    fc.property(fc.array(key, { maxLength: 300 }), fc.constantFrom(0, 32, 64), (keys, first) => {
      const other = new Uint8Array(32).fill(7)
      const rows = keys.flatMap((hash) => [0, 32, 64].map((at) => (at === first ? hash : other)))
      const ids = concatBytes(...keys.map((_, i) => sha256(u32be(i))))
      const sorted = new KeyRuns(concatBytes(...rows), first, 96, ids)
      const found = new Map<string, number[]>()
      let before = new Uint8Array(32)
      for (let run = 0; run < sorted.count; run++) {
        const at = sorted.keyAt(run)
        const hash = sorted.keyHashes.slice(at, at + 32)
        const events = [...sorted.eventsOf(run)]
        expect(events.length).toBeGreaterThan(0)
        expect(sorted.firstEvent(run)).toBe(events[0])
        expect(compareBytes(before.subarray(0, 4), hash.subarray(0, 4))).toBeLessThanOrEqual(0)
        found.set(toHex(hash), [...(found.get(toHex(hash)) ?? []), ...events])
        before = hash
      }
      const expected = new Map<string, number[]>()
      for (const [i, hash] of keys.entries()) expected.set(toHex(hash), [...(expected.get(toHex(hash)) ?? []), i])
      expect([...found].sort()).toEqual([...expected].sort())
    }),
    runs(200)
  )
})

test('a run is of a thousand events at most, and a slice of runs as long as was asked for', () => {
  const rows = Array.from({ length: 5000 }, (_, i) => sha256(u32be(i < 2500 ? 0 : i)))
  const sorted = new KeyRuns(concatBytes(...rows), 0, 32, concatBytes(...rows))
  expect(sorted.count).toBe(3 + 2500)
  let events = 0
  for (let from = 0, to = 0; from < sorted.count; from = to) {
    to = sorted.after(from, 100)
    let some = 0
    for (let run = from; run < to; run++) some += sorted.eventsOf(run).length
    expect(some >= 100 || to === sorted.count).toBe(true)
    expect(some).toBeLessThan(100 + 1000)
    events += some
  }
  expect(events).toBe(5000)
  expect(new KeyRuns(new Uint8Array(0), 0, 32, new Uint8Array(0)).count).toBe(0)
})
