import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { HalfFrames } from '../../src/network/half-frames.ts'
import { FrameWatch } from '../../src/network/streams/frame-watch.ts'
import { runs } from '../support/runs.ts'

const MAX = 1000

describe('halves of frames', () => {
  it('are never more than their place has, and those that began first go first', () => {
    const steps = fc.array(fc.record({ stream: fc.nat(9), bytes: fc.nat(1200), ends: fc.boolean() }), { maxLength: 60 })
    fc.assert(
      fc.property(steps, (all) => {
        const halves = new HalfFrames(MAX)
        const streams = Array.from({ length: 10 }, (_, id) => ({ id }))
        const open = new Map<object, number>()
        const gone: object[] = []
        for (const { stream, bytes, ends } of all) {
          const one = streams[stream] as object
          gone.length = 0
          if (ends) {
            halves.delete(one)
            open.delete(one)
          } else {
            halves.set(one, bytes, () => gone.push(one))
            open.set(one, bytes)
          }
          const expected: object[] = []
          for (const first of [...open.keys()]) {
            if ([...open.values()].reduce((sum, of) => sum + of, 0) <= MAX) break
            expected.push(first)
            open.delete(first)
          }
          expect(gone).toEqual(expected)
          expect(halves.bytes).toBe([...open.values()].reduce((sum, of) => sum + of, 0))
        }
      }),
      runs(200)
    )
  })
})

describe('the watch over the rest of a frame', () => {
  beforeEach(() =>
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'] })
  )
  afterEach(() => vi.useRealTimers())

  function setUp() {
    const seen = { late: 0 }
    return { seen, watch: new FrameWatch(1000, () => (seen.late += 1)) }
  }

  /** A piece that comes after so long, when the frame has so many bytes. */
  function piece(watch: FrameWatch, ms: number, bytes: number): void {
    vi.advanceTimersByTime(ms)
    watch.stop()
    watch.wait(bytes)
  }

  it('adds up what is waited, and ends a frame that trickles', () => {
    const { seen, watch } = setUp()
    watch.wait(1)
    for (let i = 1; i < 10; i += 1) piece(watch, 100, 1 + i)
    expect(seen.late).toBe(0)
    vi.advanceTimersByTime(200)
    expect(seen.late).toBe(1)
  })

  it('counts neither the time between frames nor that in which nobody waits', () => {
    const { seen, watch } = setUp()
    for (let i = 0; i < 10; i += 1) {
      watch.wait(1)
      vi.advanceTimersByTime(600)
      watch.stop()
      watch.whole()
      vi.advanceTimersByTime(60_000)
    }
    expect(seen.late).toBe(0)
  })

  it('gives its time again for each 256 KiB of a slow link', () => {
    const { seen, watch } = setUp()
    watch.wait(1)
    for (let i = 1; i < 20; i += 1) piece(watch, 900, i * (256 << 10))
    expect(seen.late).toBe(0)
    piece(watch, 900, 20 * (256 << 10) - 1)
    vi.advanceTimersByTime(200)
    expect(seen.late).toBe(1)
  })

  it('takes a stall of our own for none of the peer’s', () => {
    const { seen, watch } = setUp()
    watch.wait(1)
    // The timer is due, and before the callback what has come meanwhile is read.
    vi.advanceTimersToNextTimer()
    expect(seen.late).toBe(0)
    watch.stop()
    watch.wait(2)
    vi.advanceTimersByTime(900)
    expect(seen.late).toBe(0)
    vi.advanceTimersByTime(200)
    expect(seen.late).toBe(1)
  })
})
