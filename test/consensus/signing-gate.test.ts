import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Doubt } from '../../src/consensus/doubt.ts'
import { type GateAction, type GateFacts, PATIENCE_MS, SigningGate } from '../../src/consensus/signing-gate.ts'
import { runs } from '../support/runs.ts'

const DOUBT: Doubt = { code: 'SIGNER_COPIED', message: 'a copy' }
const WHAT = 'a prevote'

/** A gate and what it reads; a raise settles the doubt, and the height begins again, at once, unless it is held up. */
class Bench {
  facts: { -readonly [Name in keyof GateFacts]: GateFacts[Name] }
  readonly gate: SigningGate
  readonly done: GateAction[] = []
  slow = false

  constructor(quorum: number, facts: Partial<GateFacts> = {}) {
    this.facts = { tip: 10, now: 0, doubt: undefined, isNew: false, closedUpTo: 0, ...facts }
    this.gate = new SigningGate(quorum, () => this.facts)
  }

  run(actions: GateAction[]): GateAction[] {
    this.done.push(...actions)
    for (const action of actions) {
      if (action.type === 'suspect') this.facts.doubt ??= action.doubt
      if (action.type === 'raise' && !this.slow) this.raised(action.height)
    }
    return actions
  }

  raised(height: number): void {
    this.facts.closedUpTo = Math.max(this.facts.closedUpTo, height)
    this.facts.doubt = undefined
    this.facts.isNew = false
  }

  /** The next height begins: whether it may be signed. */
  begins(): boolean {
    const raised = this.run(this.gate.begin(this.facts.tip + 1)).some(({ type }) => type === 'raise')
    if (raised && !this.slow) this.run(this.gate.begin(this.facts.tip + 1))
    return this.gate.maySign
  }

  /** The next heights are decided by others; whether each of them may be signed when it begins. */
  pass(heights: number): boolean[] {
    return Array.from({ length: heights }, () => {
      this.facts.tip += 1
      return this.begins()
    })
  }

  get kind(): string {
    return this.gate.state.kind
  }
}

describe('after a start', () => {
  it('nothing is signed before a quorum, less this one, has answered; each counts once', () => {
    const bench = new Bench(3)
    expect(bench.begins()).toBe(false)
    expect(bench.run(bench.gate.heard(1))).toEqual([])
    expect(bench.run(bench.gate.heard(1))).toEqual([])
    expect(bench.run(bench.gate.heard(-1))).toEqual([])
    expect(bench.begins()).toBe(false)
    expect(bench.run(bench.gate.heard(2))).toEqual([{ type: 'changed' }])
    expect(bench.begins()).toBe(true)
  })

  it('a quorum of one has nobody to hear', () => {
    const bench = new Bench(1)
    expect(bench.run(bench.gate.conclude())).toEqual([{ type: 'changed' }])
    expect(bench.begins()).toBe(true)
  })

  it('time alone is not enough; with one answer of anybody it is, for who has no connection to validators', () => {
    const bench = new Bench(3)
    bench.facts.now = 100 * PATIENCE_MS
    expect(bench.run(bench.gate.conclude())).toEqual([])
    expect(bench.run(bench.gate.heard(-1))).toEqual([{ type: 'changed' }])
    expect(bench.kind).toBe('signing')
    const early = new Bench(3)
    early.run(early.gate.heard(-1))
    early.facts.now = PATIENCE_MS
    expect(early.run(early.gate.conclude())).toEqual([{ type: 'changed' }])
  })

  it.each([
    ['in doubt', { doubt: DOUBT }, 'passing'],
    ['new on a chain that is under way', { isNew: true }, 'passing'],
    ['new at its beginning', { isNew: true, tip: 0 }, 'signing']
  ] as const)('%s: neither time nor who is no validator makes up for a validator', (_, facts, then) => {
    const bench = new Bench(3, facts)
    bench.facts.now = 100 * PATIENCE_MS
    for (const validator of [-1, 1, -1, 1]) expect(bench.run(bench.gate.heard(validator))).toEqual([])
    expect(bench.run(bench.gate.conclude())).toEqual([])
    expect(bench.kind).toBe('listening')
    bench.run(bench.gate.heard(2))
    expect(bench.kind).toBe(then)
  })

  it('a doubt that comes up while it listens: the same', () => {
    const bench = new Bench(3)
    bench.run(bench.gate.saw(9, false, WHAT))
    bench.run(bench.gate.heard(-1))
    bench.facts.now = PATIENCE_MS
    expect(bench.run(bench.gate.conclude())).toEqual([])
    expect(bench.kind).toBe('listening')
  })

  it('who is far behind hears the others again when it is not', () => {
    const bench = new Bench(3)
    bench.run(bench.gate.heard(1))
    bench.gate.fellBehind()
    bench.run(bench.gate.heard(2))
    expect(bench.kind).toBe('listening')
    bench.run(bench.gate.heard(1))
    expect(bench.kind).toBe('signing')
    bench.gate.fellBehind()
    expect(bench.kind).toBe('signing')
  })
})

describe('in doubt', () => {
  it('two heights pass without it, and then it signs', () => {
    const bench = new Bench(3, { doubt: DOUBT })
    bench.run(bench.gate.heard(1))
    expect(bench.run(bench.gate.heard(2))).toEqual([{ type: 'changed' }])
    expect(bench.begins()).toBe(false)
    expect(bench.pass(1)).toEqual([false])
    // Nothing was written: what can settle the doubt still can.
    expect(bench.done).toEqual([{ type: 'changed' }])
    expect(bench.facts).toMatchObject({ doubt: DOUBT, closedUpTo: 0 })
    expect(bench.pass(2)).toEqual([true, true])
    expect(bench.done).toEqual([{ type: 'changed' }, { type: 'raise', height: 12 }])
  })

  it('a restart on the way begins anew, with the heights that come then', () => {
    const first = new Bench(3, { doubt: DOUBT })
    for (const validator of [1, 2]) first.run(first.gate.heard(validator))
    first.pass(1)
    const second = new Bench(3, first.facts)
    for (const validator of [1, 2]) second.run(second.gate.heard(validator))
    expect(second.pass(3)).toEqual([false, true, true])
  })

  it('who is new on a chain that is under way says so at once, and durably', () => {
    const bench = new Bench(3, { isNew: true })
    bench.run(bench.gate.heard(1))
    expect(bench.run(bench.gate.heard(2))).toEqual([
      { type: 'suspect', doubt: { code: 'SIGNER_MISSING', message: expect.stringContaining('the chain is at 10') } },
      { type: 'changed' }
    ])
  })

  it('it does not sign before that it does so is on disk', () => {
    const bench = new Bench(3, { doubt: DOUBT })
    bench.slow = true
    for (const validator of [1, 2]) bench.run(bench.gate.heard(validator))
    expect(bench.pass(5)).toEqual([false, false, false, false, false])
    bench.raised(12)
    expect(bench.pass(1)).toEqual([true])
  })

  it('alone it stops and says what can be done', () => {
    const bench = new Bench(1, { doubt: DOUBT })
    bench.run(bench.gate.conclude())
    expect(bench.gate.state).toEqual({
      kind: 'stopped',
      doubt: { code: 'SIGNER_COPIED', message: expect.stringMatching(/^a copy; .*moloch signer adopt/) }
    })
    expect(bench.pass(5)).toEqual([false, false, false, false, false])
  })

  it('a key that signed nothing here, on a chain that is under way, waits; at its beginning it does not', () => {
    const late = new Bench(3, { isNew: true, tip: 7 })
    for (const validator of [1, 2]) late.run(late.gate.heard(validator))
    expect(late.kind).toBe('passing')
    const first = new Bench(3, { isNew: true, tip: 0 })
    for (const validator of [1, 2]) first.run(first.gate.heard(validator))
    expect(first.kind).toBe('signing')
  })

  it('others far ahead: what was waited for is not what passes by then', () => {
    const bench = new Bench(3, { doubt: DOUBT })
    for (const validator of [1, 2]) bench.run(bench.gate.heard(validator))
    bench.gate.fellBehind()
    bench.facts.tip = 50
    expect(bench.begins()).toBe(false)
  })

  it('a log that was closed above the chain is waited for after a restart too, as watchfully', () => {
    const bench = new Bench(3, { closedUpTo: 14 })
    for (const validator of [1, 2]) bench.run(bench.gate.heard(validator))
    expect(bench.gate.state).toMatchObject({ kind: 'passing', from: 11, last: 14, floor: 14 })
    expect(bench.pass(5)).toEqual([false, false, false, true, true])
  })
})

describe('its own signature comes by', () => {
  it('that it has: nothing', () => {
    const bench = new Bench(3)
    expect(bench.gate.saw(11, true, WHAT)).toEqual([])
    for (const validator of [1, 2]) bench.run(bench.gate.heard(validator))
    expect(bench.gate.saw(11, true, WHAT)).toEqual([])
  })

  it('while it listens: the log is older than it seemed', () => {
    const bench = new Bench(3)
    bench.run(bench.gate.saw(9, false, WHAT))
    expect(bench.facts.doubt).toEqual({ code: 'SIGNER_BEHIND', message: expect.stringContaining(WHAT) })
    for (const validator of [1, 2]) bench.run(bench.gate.heard(validator))
    expect(bench.pass(3)).toEqual([false, true, true])
  })

  it('while it signs: another process has the key, and this one stops for good', () => {
    const bench = new Bench(3)
    for (const validator of [1, 2]) bench.run(bench.gate.heard(validator))
    const actions = bench.run(bench.gate.saw(11, false, WHAT))
    expect(actions.map(({ type }) => type)).toEqual(['suspect', 'stop', 'changed'])
    expect(bench.gate.state).toMatchObject({ kind: 'stopped', doubt: { code: 'SIGNER_DUPLICATE' } })
    expect(bench.pass(9).some(Boolean)).toBe(false)
    expect(bench.gate.saw(12, false, WHAT)).toEqual([])
  })

  it('while it waits: two heights have to pass after it, whatever the signer says of it', () => {
    const bench = new Bench(3, { doubt: DOUBT })
    for (const validator of [1, 2]) bench.run(bench.gate.heard(validator))
    expect(bench.run(bench.gate.saw(10, true, WHAT))).toEqual([])
    for (let i = 0; i < 2; i++) expect(bench.run(bench.gate.saw(11, true, WHAT))).toEqual([])
    expect(bench.gate.state).toMatchObject({ floor: 13 })
    expect(bench.pass(3)).toEqual([false, false, true])
  })

  it('above what the signer was told to sign above: that is a doubt, which outlives the process', () => {
    const bench = new Bench(3, { closedUpTo: 11 })
    for (const validator of [1, 2]) bench.run(bench.gate.heard(validator))
    expect(bench.run(bench.gate.saw(11, true, WHAT))).toEqual([])
    expect(bench.run(bench.gate.saw(12, false, WHAT)).map(({ type }) => type)).toEqual(['suspect'])
    expect(bench.facts.doubt?.code).toBe('SIGNER_BEHIND')
    expect(bench.pass(4)).toEqual([false, false, false, true])
  })

  it('while it writes down that the heights have passed: as while it signs', () => {
    const bench = new Bench(3, { doubt: DOUBT })
    for (const validator of [1, 2]) bench.run(bench.gate.heard(validator))
    bench.slow = true
    bench.pass(2)
    expect(bench.kind).toBe('closing')
    expect(bench.gate.saw(12, false, WHAT)).toEqual([])
    bench.run(bench.gate.saw(13, false, WHAT))
    expect(bench.kind).toBe('stopped')
  })

  it('above all that an earlier life can have signed: a process that runs', () => {
    const bench = new Bench(3, { doubt: DOUBT })
    for (const validator of [1, 2]) bench.run(bench.gate.heard(validator))
    bench.run(bench.gate.saw(12, false, WHAT))
    expect(bench.kind).toBe('passing')
    bench.run(bench.gate.saw(13, false, WHAT))
    expect(bench.gate.state).toMatchObject({ kind: 'stopped', doubt: { code: 'SIGNER_DUPLICATE' } })
  })

  it('a peer with its key: it does not begin to sign beside it', () => {
    const bench = new Bench(3)
    bench.run(bench.gate.met('somebody'))
    expect(bench.gate.state).toMatchObject({ kind: 'stopped', doubt: { code: 'SIGNER_DUPLICATE' } })
    const signing = new Bench(3)
    for (const validator of [1, 2]) signing.run(signing.gate.heard(validator))
    expect(signing.gate.met('somebody')).toEqual([])
  })
})

it('whatever an earlier life signed, and whatever of it comes by, in any order: no height is signed that it signed', () => {
  const life = fc.record({
    quorum: fc.integer({ min: 2, max: 5 }),
    /** Of the others. */
    tip: fc.integer({ min: 5, max: 9 }),
    /** By how much the earlier life was ahead of that, at most. */
    ahead: fc.integer({ min: 0, max: 2 }),
    /** What comes by, and between it heights that pass and restarts. */
    steps: fc.array(
      fc.oneof(
        fc.record({ type: fc.constant('saw' as const), back: fc.nat(3) }),
        fc.constant({ type: 'pass' as const }),
        fc.constant({ type: 'hear' as const }),
        fc.constant({ type: 'restart' as const })
      ),
      { maxLength: 20 }
    ),
    /** Whether log and mark know that they lack it. */
    told: fc.boolean()
  })
  fc.assert(
    fc.property(life, ({ quorum, tip, ahead, steps, told }) => {
      const signedUpTo = tip + ahead
      let bench = new Bench(quorum, { tip, doubt: told ? DOUBT : undefined })
      let sawAny = told
      for (const step of steps) {
        if (step.type === 'saw') {
          const height = signedUpTo - step.back
          bench.run(bench.gate.saw(height, height <= bench.facts.closedUpTo, WHAT))
          if (bench.kind === 'listening') sawAny = true
        } else if (step.type === 'hear') {
          // Who hears the others hears what they have of this key: that is what is asked for.
          if (!sawAny && bench.kind === 'listening') {
            bench.run(bench.gate.saw(signedUpTo, false, WHAT))
            sawAny = true
          }
          for (let validator = 1; validator < quorum; validator++) bench.run(bench.gate.heard(validator))
        } else if (step.type === 'pass') {
          bench.facts.tip += 1
        } else {
          const { tip, doubt, closedUpTo } = bench.facts
          bench = new Bench(quorum, { tip, doubt, closedUpTo })
        }
        const next = bench.facts.tip + 1
        const maySign = bench.begins() && next > bench.facts.closedUpTo
        if (maySign) expect(next).toBeGreaterThan(signedUpTo)
      }
    }),
    runs(500)
  )
})
