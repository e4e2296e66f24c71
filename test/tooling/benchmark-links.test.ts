import { describe, expect, it } from 'vitest'
import { TokenBucket } from '../../scripts/benchmarks/token-bucket.ts'

describe('the token bucket of a slow link', () => {
  it('lets a burst through, and then the rate', () => {
    const bucket = new TokenBucket(1_000_000, 64_000, 0)
    expect(bucket.take(64_000, 0)).toBe(0)
    expect(bucket.take(1000, 0)).toBe(1)
    // What is owed is paid before anything is saved.
    expect(bucket.take(5000, 1)).toBe(5)
    expect(bucket.take(2000, 6)).toBe(2)
  })

  it('saves no more than a burst', () => {
    const bucket = new TokenBucket(1_000_000, 64_000, 0)
    expect(bucket.take(64_000, 60_000)).toBe(0)
    expect(bucket.take(10_000, 60_000)).toBe(10)
  })

  it('holds the rate over any time, whatever the chunks', () => {
    const bucket = new TokenBucket(2_500_000, 64_000, 0)
    let at = 0
    let bytes = 0
    for (let i = 0; i < 1000; i++) {
      const chunk = 1 + ((i * 7919) % 65_536)
      bytes += chunk
      at += bucket.take(chunk, at)
    }
    expect(bytes / at).toBeCloseTo(2500, -2)
  })
})
