import fc from 'fast-check'
import { Uint8ArrayList } from 'uint8arraylist'
import { describe, expect, it } from 'vitest'
import { CompactList } from '../../../src/network/streams/compact-list.ts'
import { runs } from '../../support/runs.ts'

type Step =
  | { readonly do: 'append'; readonly bytes: number; readonly of: number }
  | { readonly do: 'consume' | 'prepend'; readonly bytes: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      bytes: fc.oneof(fc.nat(8), fc.nat(1024), fc.nat(70_000)),
      // How much larger the buffer is that the piece is a view of.
      of: fc.oneof(fc.nat(16), fc.nat(65_536))
    })
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom('consume' as const, 'prepend' as const), bytes: fc.nat(100_000) })
  }
)

/** What a list keeps from being collected. */
function held(list: Uint8ArrayList): { pieces: number; bytes: number } {
  const pieces = [...list]
  const buffers = new Set(pieces.map(({ buffer }) => buffer))
  return { pieces: pieces.length, bytes: [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0) }
}

describe('a compact list', () => {
  it('has the bytes of a plain one, and what was taken out of it does not change', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const [compact, plain] = [new CompactList(), new Uint8ArrayList()]
        const taken: { readonly out: Uint8ArrayList; readonly was: Uint8Array }[] = []
        let next = 0
        for (const one of steps) {
          if (one.do === 'append') {
            const buffer = new Uint8Array(one.bytes + one.of).map(() => (next = (next + 1) % 251))
            const piece = buffer.subarray(one.of)
            plain.append(piece.slice())
            compact.append(piece)
            // Whoever gave it may use its buffer again if it is not kept.
            if (![...compact].some((part) => part.buffer === buffer.buffer)) buffer.fill(255)
          } else {
            const bytes = Math.min(one.bytes, plain.byteLength)
            const out = compact.sublist(0, bytes)
            for (const list of [compact, plain]) list.consume(bytes)
            if (one.do === 'prepend') for (const list of [compact, plain]) list.prepend(out)
            else taken.push({ out, was: out.slice() })
          }
          expect(compact.byteLength).toBe(plain.byteLength)
        }
        expect(Buffer.compare(compact.slice(), plain.slice())).toBe(0)
        for (const { out, was } of taken) expect(Buffer.compare(out.slice(), was)).toBe(0)
      }),
      runs(100)
    )
  })

  it('takes about as much memory as it has bytes, whatever the pieces', () => {
    const sizes = fc.array(
      fc.record({ bytes: fc.oneof(fc.constant(1), fc.nat(2000), fc.nat(70_000)), of: fc.nat(65_536) }),
      {
        maxLength: 200
      }
    )
    fc.assert(
      fc.property(sizes, (pieces) => {
        const list = new CompactList()
        for (const { bytes, of } of pieces) list.append(new Uint8Array(bytes + of).subarray(of))
        const { byteLength } = list
        expect(held(list).bytes).toBeLessThanOrEqual(3 * byteLength + 4096)
        // Each piece that is kept and each block has at least 1 KiB, but for the first and what was left of a block.
        expect(held(list).pieces).toBeLessThanOrEqual(2 + byteLength / 512)
      }),
      runs(50)
    )
  })

  it('fills its blocks also where larger pieces come between the small ones', () => {
    const list = new CompactList()
    for (let i = 0; i < 2000; i += 1) for (const size of [1, 1024]) list.append(new Uint8Array(size))
    expect(held(list).bytes).toBeLessThan(2 * list.byteLength)
  })

  it('of a million single bytes is some blocks', () => {
    const list = new CompactList()
    const wire = new Uint8Array(64 << 10)
    for (let i = 0; i < 1_000_000; i += 1) list.append(wire.subarray(i % 1000, (i % 1000) + 1))
    expect(list.byteLength).toBe(1_000_000)
    expect(held(list).pieces).toBeLessThan(32)
    expect(held(list).bytes).toBeLessThan(1_100_000)
  })
})
