import { describe, expect, it } from 'vitest'
import { Standing } from '../../src/consensus/standing.ts'
import type { Waiting } from '../../src/consensus/waiting.ts'

const AFTER_MS = 12_000
const TURN: Waiting = { for: 'turn', proposer: 'v1', own: false }
const proposal = (round: number): Waiting => ({ for: 'proposal', round, proposer: `v${round % 4}`, own: false })
const without = (...names: string[]): Waiting => ({
  for: 'validators',
  here: 4 - names.length,
  needed: 3,
  missing: names.map((validator) => ({ validator, why: 'unconnected' }))
})

/** Looks each second from `from` to `to`; returns what there was to log, with when. */
function watch(standing: Standing, tip: number, what: (at: number) => Waiting, from: number, to: number): string[] {
  const news: string[] = []
  for (let at = from; at <= to; at += 1000) {
    const one = standing.see(tip, what(at), at)
    if (one !== undefined) news.push(`${at / 1000} ${one.type} ${one.forMs / 1000}`)
  }
  return news
}

describe('a chain', () => {
  it('stands when a block has been due for long, and not while nothing is late', () => {
    const standing = new Standing(AFTER_MS)
    expect(watch(standing, 1, () => TURN, 0, 3_600_000)).toEqual([])
    expect(standing.standsFor(3_600_000)).toBeUndefined()
    expect(watch(standing, 1, () => without('v1', 'v2'), 3_601_000, 3_612_000)).toEqual([])
    expect(standing.standsFor(3_612_000)).toBeUndefined()
    expect(watch(standing, 1, () => without('v1', 'v2'), 3_613_000, 3_620_000)).toEqual(['3613 stands 3613'])
    expect(standing.standsFor(3_613_000)).toBe(3_613_000)
  })

  it('stands at once where nothing can come', () => {
    const standing = new Standing(AFTER_MS)
    const genesis: Waiting = { for: 'genesis-time', until: 99 }
    expect(watch(standing, 0, () => genesis, 0, 5000)).toEqual(['0 stands 0'])
    expect(standing.standsFor(5000)).toBe(5000)
    // Its time has come: now a block has its time again.
    expect(watch(standing, 0, () => TURN, 6000, 10_000)).toEqual([])
    expect(standing.standsFor(10_000)).toBeUndefined()
    expect(watch(standing, 1, () => TURN, 11_000, 11_000)).toEqual(['11 ended 11'])
  })

  it('stands on while a height begins anew, and no more when a block has come', () => {
    const standing = new Standing(AFTER_MS)
    watch(standing, 1, () => proposal(0), 0, 13_000)
    standing.see(1, TURN, 14_000)
    expect(standing.standsFor(14_000)).toBe(14_000)
    expect(standing.see(2, TURN, 15_000)).toEqual({ type: 'ended', forMs: 15_000 })
    expect(standing.standsFor(15_000)).toBeUndefined()
  })
})

describe('the log is told', () => {
  it('once while rounds pass, and again after ten minutes', () => {
    const standing = new Standing(AFTER_MS)
    const rounds = (at: number): Waiting => proposal(Math.floor(at / 3000))
    expect(watch(standing, 1, rounds, 0, 1_300_000)).toEqual(['12 stands 12', '612 stands 612', '1212 stands 1212'])
  })

  it('of a new reason, three times a minute at most', () => {
    const standing = new Standing(AFTER_MS)
    const who = (at: number): Waiting => without('v1', at % 2000 === 0 ? 'v2' : 'v3')
    expect(watch(standing, 1, who, 0, 120_000).length).toBeLessThanOrEqual(6)
    expect(watch(standing, 1, () => without('v1', 'v2', 'v3'), 121_000, 150_000)).toHaveLength(1)
  })

  it('of an end only if it was told of the beginning', () => {
    const standing = new Standing(AFTER_MS)
    watch(standing, 1, () => proposal(0), 0, 11_000)
    expect(watch(standing, 2, () => TURN, 12_000, 13_000)).toEqual([])
  })
})

it('since when the same is waited for, whatever its counts', () => {
  const standing = new Standing(AFTER_MS)
  standing.see(1, TURN, 1000)
  standing.see(1, without('v1', 'v2'), 5000)
  standing.see(1, { ...without('v1', 'v2'), for: 'validators', here: 1, needed: 3, missing: [] }, 6000)
  expect(standing.since).toBe(6000)
  standing.see(1, without('v1', 'v2'), 7000)
  standing.see(1, without('v1', 'v2'), 9000)
  expect(standing.since).toBe(7000)
})
