import { describe, expect, it } from 'vitest'
import { Validating } from '../../src/network/validating.ts'

const MIB = 1 << 20

describe('what of one peer is under validation', () => {
  it('is bounded in number', () => {
    const validating = new Validating(2)
    expect([1, 2, 3].map(() => validating.enter('p', 1))).toEqual([true, true, false])
    expect(validating.enter('q', 1)).toBe(true)
    validating.leave('p', 1)
    expect(validating.enter('p', 1)).toBe(true)
  })

  it('is bounded in bytes', () => {
    const validating = new Validating(512)
    for (let i = 0; i < 8; i += 1) expect(validating.enter('p', 2 * MIB)).toBe(true)
    expect(validating.enter('p', 1)).toBe(false)
    expect(validating.enter('q', 2 * MIB)).toBe(true)
    validating.leave('p', 2 * MIB)
    expect(validating.enter('p', 2 * MIB + 1)).toBe(false)
    expect(validating.enter('p', 2 * MIB)).toBe(true)
  })
})
