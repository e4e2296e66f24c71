import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkFinalized, checkProposed } from '../../src/chain/check-block.ts'
import { type CheckedEvent, checkEvent, EventBody } from '../../src/chain/event.ts'
import { VerifiedEvents } from '../../src/chain/verified-events.ts'
import { runs } from '../support/runs.ts'
import { eventFields, finalize, keyOf, oddEvent, testBlock, testChain, testEvent } from './fixture.ts'

const actors = ['a', 'b'].map(keyOf)
const chain = testChain(4, { actors, params: { maxEventBytes: 1024 } })
const { genesis } = chain
const BLOCK_TIME = testBlock(chain).header.timestamp

function memory(waiting = 64): VerifiedEvents {
  return new VerifiedEvents(genesis.hash, VerifiedEvents.memoryFor(waiting))
}

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const changed = bytes.slice()
  const at = (bit >> 3) % changed.length
  changed[at] = (changed[at] as number) ^ (1 << (bit & 7))
  return changed
}

/** Everything that can be wrong with an event, and most often nothing. */
const anyEvent = fc
  .record({
    index: fc.nat(5),
    actor: fc.constantFrom('a', 'b'),
    kind: fc.constantFrom('good', 'good', 'good', 'forged', 'stranger', 'late', 'early', 'bounds', 'large', 'flipped'),
    bit: fc.nat(8 * 300)
  })
  .map(({ index, actor, kind, bit }): Uint8Array => {
    const good = testEvent(chain, index, {}, actor).bytes
    switch (kind) {
      case 'forged':
        // The signature is what comes last.
        return flipped(good, 8 * (good.length - 1 - (bit % 64)))
      case 'stranger':
        return testEvent(chain, index, {}, 'stranger').bytes
      case 'late':
        return testEvent(chain, index, { timestamp: BLOCK_TIME - genesis.params.eventWindowMs - 1 }, actor).bytes
      case 'early':
        return testEvent(chain, index, { timestamp: BLOCK_TIME + genesis.params.eventWindowMs + 1 }, actor).bytes
      case 'bounds':
        return oddEvent(chain, EventBody.encode(eventFields(index, { action: 'Capitals' })), actor)
      case 'large':
        return testEvent(chain, index, { metadata: [{ key: 'k', value: 'x'.repeat(1024) }] }, actor).bytes
      case 'flipped':
        return flipped(good, bit)
      default:
        return good
    }
  })

function parsed(bytes: Uint8Array): CheckedEvent | undefined {
  try {
    return checkEvent(bytes, genesis.params)
  } catch {
    return undefined
  }
}

function blockOf(events: readonly Uint8Array[]): ReturnType<typeof testBlock> | undefined {
  try {
    return testBlock(chain, { events })
  } catch {
    // Bytes of which not even an id can be made.
    return undefined
  }
}

describe('what is known to be signed', () => {
  test('changes no verdict on any block, however much of it is known', () => {
    const blocks = fc.array(fc.array(anyEvent, { maxLength: 5 }), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 8 }), blocks, (seen, proposals) => {
        const verified = memory()
        for (const event of seen.map(parsed)) if (event !== undefined) verified.isSigned(event)
        for (const block of proposals.map(blockOf)) {
          if (block === undefined) continue
          const { blockBytes } = block
          expect(checkProposed(genesis, blockBytes, { verified })).toEqual(checkProposed(genesis, blockBytes))
          const finalized = finalize(chain, block)
          const options = { verifyEvents: true }
          expect(checkFinalized(genesis, finalized, { ...options, verified })).toEqual(
            checkFinalized(genesis, finalized, options)
          )
        }
      }),
      runs(60)
    )
  })

  test('is no other event: one changed bit anywhere is checked, and refused', () => {
    const event = testEvent(chain, 1, {}, 'a')
    const verified = memory()
    expect(verified.isSigned(event)).toBe(true)
    let tried = 0
    for (let bit = 0; bit < 8 * event.bytes.length; bit++) {
      const other = parsed(flipped(event.bytes, bit))
      if (other === undefined) continue
      tried++
      expect(verified.isSigned(other)).toBe(false)
      expect(verified.has(other.id)).toBe(false)
    }
    expect(verified.checked).toBe(1 + tried)
    expect(tried).toBeGreaterThan(8 * 96)
  })

  test('is not checked again, not even a block’s events', () => {
    const verified = memory()
    const events = [1, 2, 3, 4].map((index) => testEvent(chain, index, {}, 'a'))
    for (const event of events.slice(0, 3)) expect(verified.isSigned(event)).toBe(true)
    expect([verified.checked, verified.spared]).toEqual([3, 0])
    const { blockBytes } = testBlock(chain, { events: events.map(({ bytes }) => bytes) })
    checkProposed(genesis, blockBytes, { verified })
    expect([verified.checked, verified.spared]).toEqual([4, 3])
    checkProposed(genesis, blockBytes, { verified })
    expect([verified.checked, verified.spared]).toEqual([4, 7])
    for (const event of events) expect(verified.isSigned(event)).toBe(true)
    expect([verified.checked, verified.spared]).toEqual([4, 11])
  })

  test('is not excused from the bounds that its signer did not look at', () => {
    const verified = memory()
    const large = testEvent(chain, 1, { metadata: [{ key: 'k', value: 'x'.repeat(1024) }] }, 'a')
    expect(verified.isSigned(large)).toBe(true)
    const { blockBytes } = testBlock(chain, { events: [large.bytes] })
    expect(checkProposed(genesis, blockBytes, { verified })).toMatchObject({
      block: { deferred: { code: 'EVENT_TOO_LARGE' } }
    })
  })

  test('of one chain is nothing for another: the id does not name the chain', () => {
    const other = testChain(4, { chainId: 'other' })
    const event = testEvent(chain, 1)
    expect(memory().isSigned(event)).toBe(true)
    expect(new VerifiedEvents(other.genesis.hash, VerifiedEvents.memoryFor(64)).isSigned(event)).toBe(false)
  })

  test('is bounded: the oldest are forgotten, as many as wait are kept', () => {
    const verified = memory(8)
    const events = Array.from({ length: 200 }, (_, index) => testEvent(chain, index))
    for (const event of events) verified.isSigned(event)
    const known = events.map(({ id }) => verified.has(id))
    expect(known.filter((yes) => yes)).toHaveLength(16)
    expect(verified.isSigned(events[0] as CheckedEvent)).toBe(true)
    expect(verified.checked).toBe(201)
    // Twice as many as wait, and no more than asked for by a setting that is far too large.
    expect(VerifiedEvents.memoryFor(50_000).byteLength).toBeLessThan(5 * 2 ** 20)
    expect(VerifiedEvents.memoryFor(10_000_000).byteLength).toBeLessThan(40 * 2 ** 20)
  })
})
