import { describe, expect, it } from 'vitest'
import type { Abstention } from '../../src/consensus/abstention.ts'
import { type Surroundings, type Waiting, waitingAt } from '../../src/consensus/waiting.ts'
import { clockFaults, describeWaiting } from '../../src/consensus/waiting-words.ts'
import { A, B, Bench, block, HEIGHT, precommit, prevote, proposal } from './support/messages.ts'

// Four validators, q = 3; height 5: proposer of round r is validator (5 + r) mod 4, so 1, 2, 3, 0, …
const NIL = ''
const LATER = { reason: 'window' } satisfies Abstention

interface Around extends Partial<Surroundings> {
  readonly isWaiting?: boolean
  readonly held?: readonly string[]
}

function waiting(bench: Bench, { isWaiting = false, held = [], ...around }: Around = {}): Waiting {
  const { machine, validators } = bench
  const state = { machine, height: HEIGHT, isWaiting, holds: (hash: string) => held.includes(hash) }
  return waitingAt(state, { validators, self: 0, abstention: undefined, connected: new Set([1, 2, 3]), ...around })
}

const words = (...of: Parameters<typeof waiting>): string => describeWaiting(waiting(...of), of[1]?.abstention)

describe('before a block is due', () => {
  it('nothing is late: it is the proposer’s turn', () => {
    const turn = { for: 'turn', proposer: 'v1', own: false }
    expect(waiting(new Bench(), { isWaiting: true, connected: new Set() })).toEqual(turn)
    expect(words(new Bench(), { isWaiting: true })).toBe('the turn of v1: an event, or the time of an empty block')
    expect(words(new Bench({ self: 1 }), { isWaiting: true, self: 1 })).toContain('v1, this node')
  })
})

describe('a quorum', () => {
  it('that is not here is what everything waits for: who is missing, and why', () => {
    const found = waiting(new Bench(), { connected: new Set([3]) })
    const missing = ['v1', 'v2'].map((validator) => ({ validator, why: 'unconnected' }))
    expect(found).toEqual({ for: 'validators', here: 2, needed: 3, missing })
    expect(words(new Bench(), { connected: new Set([3]) })).toBe(
      'validators: 2 of 3 needed are here; missing: v1 (not connected), v2 (not connected)'
    )
  })

  it('lacks this node itself while it signs nothing', () => {
    const around = { connected: new Set([2, 3]), abstention: LATER }
    expect(waiting(new Bench(), around)).toMatchObject({ for: 'validators', here: 2 })
    expect(words(new Bench(), around)).toContain(
      'missing: v0 (this node, which signs nothing until it holds the blocks of the last two event windows), v1 (not connected)'
    )
    // Without it there are enough.
    expect(waiting(new Bench(), { abstention: LATER }).for).toBe('proposal')
  })

  it('counts who signs in this height though it is not connected, and who did long ago no more', () => {
    const bench = new Bench()
    bench.votes(prevote(0, 2, NIL), prevote(0, 3, NIL))
    expect(waiting(bench, { connected: new Set() }).for).toBe('proposal')
    for (const round of [0, 1]) bench.timeout('precommit', round)
    expect(waiting(bench, { connected: new Set() })).toMatchObject({ for: 'validators', here: 1 })
  })

  it('is the same for an observer', () => {
    expect(waiting(new Bench({ self: -1 }), { self: -1 }).for).toBe('proposal')
    expect(waiting(new Bench({ self: -1 }), { self: -1, connected: new Set([1]) })).toMatchObject({ here: 1 })
  })
})

describe('a proposal', () => {
  it('is waited for, and whose it is', () => {
    expect(waiting(new Bench())).toEqual({ for: 'proposal', round: 0, proposer: 'v1', own: false })
    expect(words(new Bench({ self: 1 }), { self: 1, connected: new Set([0, 2, 3]) })).toBe(
      'the proposal of v1, this node in round 0'
    )
  })

  it('then its block, and the check of that', () => {
    const bench = new Bench()
    bench.propose(proposal(0, A))
    expect(waiting(bench)).toEqual({ for: 'block', round: 0, held: false })
    expect(waiting(bench, { held: [A] })).toEqual({ for: 'block', round: 0, held: true })
  })

  it('made again waits for the prevotes that it rests on', () => {
    const bench = new Bench()
    for (const round of [0, 1]) bench.timeout('precommit', round)
    bench.votes(prevote(0, 1, A))
    bench.propose(proposal(2, A, 0), block(A))
    expect(waiting(bench)).toEqual({ for: 'old-prevotes', round: 0, have: 1, needed: 3 })
    expect(words(bench)).toBe('the prevotes of round 0 that the proposal rests on: 1 of 3')
  })
})

describe('votes', () => {
  it('are waited for by kind, and who has not given one; itself too', () => {
    const bench = new Bench()
    bench.propose(proposal(0, A), block(A))
    expect(waiting(bench)).toMatchObject({ for: 'votes', type: 'prevotes', have: 0 })
    bench.votes(prevote(0, 1, A))
    expect(words(bench)).toBe('prevotes of round 0: 1 of 3 needed; missing: v0 (this node), v2, v3')
    bench.votes(prevote(0, 0, A), prevote(0, 2, A), precommit(0, 0, A), precommit(0, 2, A))
    expect(words(bench, { connected: new Set([1, 2]) })).toBe(
      'precommits of round 0: 2 of 3 needed; missing: v1, v3 (not connected)'
    )
  })

  it('for different things: the next round', () => {
    const bench = new Bench()
    bench.propose(proposal(0, A), block(A))
    bench.votes(prevote(0, 0, A), prevote(0, 2, B), prevote(0, 3, NIL))
    expect(waiting(bench)).toEqual({ for: 'next-round', round: 0 })
  })

  it('that decide: the disk', () => {
    const bench = new Bench()
    bench.propose(proposal(0, A), block(A))
    bench.votes(precommit(0, 1, A), precommit(0, 2, A), precommit(0, 3, A))
    expect(waiting(bench)).toEqual({ for: 'disk' })
  })
})

describe('clocks', () => {
  const right = { median: { least: 0, most: 0 }, ownAheadMs: 0, wrong: [] }

  it('that are right get no words', () => {
    expect(clockFaults(right, new Map())).toEqual([])
  })

  it('are named, ours first', () => {
    const clocks = { ...right, ownAheadMs: -3_600_000, wrong: [{ validator: 'v2', aheadMs: 2500 }] }
    expect(clockFaults(clocks, new Map([['v2', 9000]])).map(({ message }) => message)).toEqual([
      "this node's clock is 3600 s behind the median of the validators'",
      "the clock of v2 is 2.5 s ahead of the other validators'"
    ])
  })

  it('a refused proposal is told of where too few clocks are known to say whose is wrong', () => {
    expect(clockFaults({ ...right, median: undefined }, new Map([['v2', 9000]]))).toEqual([
      {
        key: 'v2',
        message:
          "the proposal of v2 was refused: its time is 9 s ahead of this node's clock (whose is wrong is not known)"
      }
    ])
  })
})
