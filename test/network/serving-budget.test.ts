import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Place, ServingBudget } from '../../src/network/serving-budget.ts'
import { TokenBucket } from '../../src/network/token-bucket.ts'

type Taken = Extract<Place, { ok: true }>

function budget(options: Partial<ConstructorParameters<typeof ServingBudget>[0]> = {}) {
  const state = { load: 0 }
  const bytes = { burst: 1e9, perSecond: 1e9 }
  const it = new ServingBudget({ maxAnswers: 4, bytes, load: () => state.load, now: () => Date.now(), ...options })
  const take = (peer: string): Taken => {
    const place = it.enter(peer, `host of ${peer}`)
    if (!place.ok) throw new Error(`${peer} is refused`)
    return place
  }
  return { budget: it, state, take }
}

/** When each of `count` frames of 1000 bytes went, in ms from now. */
async function frames(place: Taken, count: number, ms: number): Promise<number[]> {
  const since = Date.now()
  const went: number[] = []
  const all = (async () => {
    for (let i = 0; i < count; i++) {
      await place.turn(1000)
      went.push(Date.now() - since)
    }
  })()
  await vi.advanceTimersByTimeAsync(ms)
  await all
  return went
}

describe('what all peers together may take', () => {
  beforeEach(() => void vi.useFakeTimers({ now: 0 }))
  afterEach(() => void vi.useRealTimers())

  it('places are bounded; from half of them on each peer has one', () => {
    const { budget: it, take } = budget()
    const first = take('greedy')
    take('greedy')
    expect(it.enter('greedy', 'host of ' + 'greedy').ok).toBe(false)
    take('b')
    take('c')
    expect(it.enter('d', 'host of ' + 'd')).toEqual({ ok: false, retryAfterMs: 250 })
    first.leave()
    first.leave()
    expect(it.answers).toBe(3)
    expect(it.enter('d', 'host of ' + 'd').ok).toBe(true)
    expect(it.enter('e', 'host of ' + 'e').ok).toBe(false)
  })

  it('the more wait, the later each is told to come back; one that came back waits no more', () => {
    const { budget: it, take } = budget({ maxAnswers: 1 })
    const place = take('a')
    const waits = Array.from({ length: 30 }, (_, i) => it.enter(`p${i}`, `host of p${i}`)).map((one) =>
      one.ok ? 0 : one.retryAfterMs
    )
    expect(waits.slice(0, 3)).toEqual([500, 1000, 1500])
    expect(waits.at(-1)).toBe(10_000)
    place.leave()
    expect(it.enter('p0', 'host of ' + 'p0').ok).toBe(true)
    vi.setSystemTime(60_000)
    // An answer that took no time brought the estimate down.
    expect(it.enter('later', 'host of ' + 'later')).toMatchObject({ ok: false, retryAfterMs: 400 })
  })

  it('from half of the places on each host has one too: ids are free', () => {
    const { budget: it } = budget()
    const places = ['a', 'b', 'c'].map((peer) => it.enter(peer, 'one host').ok)
    expect(places).toEqual([true, true, false])
    expect(it.enter('d', 'another host').ok).toBe(true)
  })

  it('whoever is gone holds up nobody behind, and spends nothing', async () => {
    const { take, state } = budget({ maxAnswers: 400 })
    await take('first').turn(1000)
    state.load = 1
    const gone = Array.from({ length: 300 }, (_, i) => take(`p${i}`))
    const turns = gone.map((place) =>
      place.turn(1e12).then(
        () => 'went',
        ({ code }) => code
      )
    )
    const honest = frames(take('honest'), 1, 100)
    for (const place of gone) place.leave()
    expect(new Set(await Promise.all(turns))).toEqual(new Set(['PEER_CLOSED']))
    expect(await honest).toEqual([100])
    await expect(gone[0]?.turn(1)).rejects.toMatchObject({ code: 'PEER_CLOSED' })
  })

  it('frames go as fast as they are asked for while the loop is idle', async () => {
    const { take } = budget()
    expect(await frames(take('a'), 5, 0)).toEqual([0, 0, 0, 0, 0])
  })

  it('a busy loop gets its time: one frame in 100 ms, all peers together, and as before when it is idle again', async () => {
    const { take, state } = budget()
    state.load = 0.9
    const [a, b] = await Promise.all([frames(take('a'), 2, 1000), frames(take('b'), 2, 1000)])
    expect([...a, ...b].sort((x, y) => x - y)).toEqual([0, 100, 200, 300])
    state.load = 0.5
    expect(await frames(take('c'), 3, 0)).toEqual([0, 0, 0])
  })

  it('bytes are bounded: what one frame overdraws the next one waits for', async () => {
    const { take } = budget({ bytes: { burst: 1000, perSecond: 10_000 } })
    expect(await frames(take('a'), 4, 1000)).toEqual([0, 0, 100, 200])
  })
})

it('a bucket may be overdrawn, pays its debt and never holds more than its burst', () => {
  const bucket = new TokenBucket({ burst: 10, perSecond: 5 }, 0)
  bucket.spend(25, 0)
  expect(bucket.waitMs(0, 0)).toBe(3000)
  expect(bucket.waitMs(1, 1000)).toBe(2200)
  expect(bucket.waitMs(0, 3000)).toBe(0)
  expect(bucket.isFull(4999)).toBe(false)
  expect(bucket.isFull(1e9)).toBe(true)
  expect(bucket.waitMs(11, 1e9)).toBe(200)
})
