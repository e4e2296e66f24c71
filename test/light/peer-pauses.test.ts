import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { MolochError } from '../../src/error.ts'
import { PeerPauses, type Turn } from '../../src/light/peer-pauses.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

const limited = (retryAfterMs?: number) => new MolochError('RATE_LIMITED', 'too much', { retryAfterMs })
const soon = () => performance.now() + 10_000

function take(pauses: PeerPauses, ...peers: string[]): Turn {
  const turn = pauses.take(peers)
  if (turn === undefined) throw new Error(`none of ${peers} may be asked`)
  return turn
}

test('three questions to one peer at once; the fourth waits for one of them, or goes to another peer', async () => {
  const pauses = new PeerPauses()
  const three = [1, 2, 3].map(() => take(pauses, 'a'))
  expect(pauses.take(['a'])).toBeUndefined()
  expect(take(pauses, 'a', 'b').peer).toBe('b')
  const order: number[] = []
  const waiting = [4, 5].map((each) => pauses.turn(['a'], soon()).finally(() => order.push(each)))
  three[1]?.end()
  three[1]?.end()
  expect((await waiting[0])?.peer).toBe('a')
  await vi.advanceTimersByTimeAsync(9_999)
  expect(order).toEqual([4])
  const busy = expect(waiting[1]).rejects.toMatchObject({ code: 'BUSY' })
  await vi.advanceTimersByTimeAsync(1)
  await busy
})

test('a peer is left out for as long as it said, a minute at most, and waited for if there is no other', async () => {
  const pauses = new PeerPauses()
  take(pauses, 'a').end(limited(5_000))
  expect(take(pauses, 'a', 'b').peer).toBe('b')
  let given: Turn | undefined
  void pauses.turn(['a'], soon()).then((turn) => {
    given = turn
  })
  await vi.advanceTimersByTimeAsync(4_999)
  expect(given).toBeUndefined()
  await vi.advanceTimersByTimeAsync(1)
  // One at a time from then on.
  expect(given?.peer).toBe('a')
  expect(pauses.take(['a'])).toBeUndefined()
  given?.end(limited(2 ** 32))
  await expect(pauses.turn(['a'], soon())).rejects.toMatchObject({ code: 'BUSY' })
  await vi.advanceTimersByTimeAsync(60_000)
  for (const turn of [1, 2, 3].map(() => take(pauses, 'a'))) turn.end()
})

test('other failures are no pause', () => {
  const pauses = new PeerPauses()
  take(pauses, 'a').end(new MolochError('UNKNOWN_EVENT', 'none', { retryAfterMs: 5_000 }))
  take(pauses, 'a').end(new Error('the stream broke'))
  take(pauses, 'a').end()
})

test('what waits is bounded, and so is what is known of peers', async () => {
  const pauses = new PeerPauses()
  for (let i = 0; i < 2_000; i++) take(pauses, `peer ${i}`).end(limited(60_000))
  expect(pauses.size).toBeLessThanOrEqual(512)
  take(pauses, 'a').end(limited(1_000))
  const given = Array.from({ length: 256 }, () => new AbortController())
  const waiting = given.map(({ signal }) => pauses.turn(['a'], soon(), signal))
  await expect(pauses.turn(['a'], soon())).rejects.toMatchObject({ code: 'BUSY' })
  expect(take(pauses, 'a', 'b').peer).toBe('b')
  for (const each of given) each.abort()
  for (const each of waiting) await expect(each).rejects.toMatchObject({ code: 'ABORTED' })
  await vi.advanceTimersByTimeAsync(1_000)
  take(pauses, 'a').end()
})
