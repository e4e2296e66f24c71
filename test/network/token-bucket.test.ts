import { expect, it } from 'vitest'
import { TokenBucket } from '../../src/network/token-bucket.ts'

it('a bucket holds the rate over any time, whatever the chunks', () => {
  const bucket = new TokenBucket({ burst: 64_000, perSecond: 2_500_000 }, 0)
  let at = 0
  let bytes = 0
  for (let i = 0; i < 1000; i++) {
    const chunk = 1 + ((i * 7919) % 65_536)
    bytes += chunk
    bucket.spend(chunk, at)
    at += bucket.waitMs(0, at)
  }
  expect(bytes / at).toBeCloseTo(2500, -2)
})
