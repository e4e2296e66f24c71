import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { concatBytes, equalBytes, fromHex, utf8 } from '../../src/codec/bytes.ts'
import { assertCanonical, assertCanonicalRange } from '../../src/codec/canonical.ts'
import { COMMIT, EVENT_BODY, HEADER, type MessageRule, PROOF, SIGNED_EVENT, VOTE } from '../../src/codec/rules.ts'
import { hasCode } from '../../src/error.ts'
import { runs } from '../support/runs.ts'
import { subjects } from './arbitraries.ts'

function accepts(rule: MessageRule, bytes: Uint8Array): boolean {
  try {
    assertCanonical(rule, bytes)
    return true
  } catch (error) {
    if (!hasCode(error, 'NON_CANONICAL')) throw error
    return false
  }
}

/** One small change of a wire form, of the kinds that a decoder does not notice. */
const mutation = fc.record({
  kind: fc.constantFrom('flip', 'insert', 'delete', 'repeat', 'swap', 'truncate', 'append', 'stretch'),
  at: fc.nat(1 << 16),
  size: fc.integer({ min: 1, max: 40 }),
  byte: fc.nat(255)
})

function mutate(bytes: Uint8Array, m: { kind: string; at: number; size: number; byte: number }): Uint8Array {
  const at = bytes.length === 0 ? 0 : m.at % bytes.length
  const [head, mid, tail] = [bytes.subarray(0, at), bytes.subarray(at, at + m.size), bytes.subarray(at + m.size)]
  switch (m.kind) {
    case 'flip': {
      const out = new Uint8Array(bytes)
      if (out.length > 0) out[at] = (out[at] as number) ^ (1 << (m.byte & 7))
      return out
    }
    case 'insert':
      return concatBytes(head, Uint8Array.of(m.byte), bytes.subarray(at))
    case 'delete':
      return concatBytes(head, tail)
    case 'repeat':
      return concatBytes(head, mid, mid, tail)
    case 'swap':
      return concatBytes(mid, head, tail)
    case 'truncate':
      return head
    case 'stretch':
      // A varint made longer than it need be.
      return concatBytes(head, Uint8Array.of((bytes[at] ?? 0) | 0x80, 0), bytes.subarray(at + 1))
    default:
      return concatBytes(bytes, Uint8Array.of(m.byte))
  }
}

describe.each(subjects)('$name', ({ rule, bytes, again }) => {
  test('accepts what is encoded', () => {
    fc.assert(
      fc.property(bytes, (encoded) => {
        assertCanonical(rule, encoded)
        expect(equalBytes(again(encoded), encoded)).toBe(true)
      }),
      runs(100)
    )
  })

  test('what it accepts is what decoding and encoding gives back', () => {
    fc.assert(
      fc.property(bytes, fc.array(mutation, { minLength: 1, maxLength: 3 }), (encoded, mutations) => {
        const odd = mutations.reduce<Uint8Array>(mutate, encoded)
        if (accepts(rule, odd)) expect(equalBytes(again(odd), odd)).toBe(true)
      }),
      runs(400)
    )
  })

  test('any bytes: accepted or refused, never another error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (odd) => {
        if (accepts(rule, odd)) expect(equalBytes(again(odd), odd)).toBe(true)
      }),
      runs(200)
    )
  })
})

const hash = concatBytes(Uint8Array.of(32), new Uint8Array(32).fill(9))
const signature = concatBytes(Uint8Array.of(64), new Uint8Array(64).fill(8))
const tagged = (tag: number, ...parts: Uint8Array[]): Uint8Array => concatBytes(Uint8Array.of(tag), ...parts)
const hex = (text: string): Uint8Array => fromHex(text.replaceAll(' ', '')) as Uint8Array

/** PREVOTE, height 5, round 1 and the rest. */
function vote(changes: { start?: string; hash?: Uint8Array; rest?: Uint8Array } = {}): Uint8Array {
  return concatBytes(
    hex(changes.start ?? '0801 1005 1801'),
    changes.hash ?? tagged(0x22, hash),
    changes.rest ?? concatBytes(tagged(0x2a, hash), tagged(0x32, signature))
  )
}

describe('each fault by itself', () => {
  test('the vote that the faults are made of is accepted, and so is its nil', () => {
    expect(accepts(VOTE, vote())).toBe(true)
    expect(accepts(VOTE, vote({ hash: new Uint8Array(0) }))).toBe(true)
  })

  const faults: [name: string, message: string, rule: MessageRule, bytes: Uint8Array][] = [
    ['fields out of order', 'comes after', VOTE, vote({ start: '1005 0801 1801' })],
    ['a repeated singular field', 'there twice', VOTE, vote({ start: '0801 1005 1005' })],
    ['an unknown field', 'unknown field', VOTE, concatBytes(vote(), hex('3801'))],
    ['field number 0', 'unknown field', VOTE, vote({ start: '0001' })],
    ['a tag of two bytes', 'unknown field', VOTE, vote({ start: '0801 1005 980101' })],
    ['a tag that is 5 when cut to 32 bits', 'unknown field', VOTE, vote({ start: '8880808010 01' })],
    ['a zero scalar that is written', 'though it is 0', VOTE, vote({ start: '0801 1005 1800' })],
    ['a varint with a byte too many', 'shortest form', VOTE, vote({ start: '0801 108500' })],
    ['a tag with a byte too many', 'shortest form', VOTE, vote({ start: '8800 01' })],
    [
      'a length with a byte too many',
      'shortest form',
      VOTE,
      vote({ hash: tagged(0x22, hex('a000'), hash.subarray(1)) })
    ],
    ['an integer above 2^53-1', 'above 2^53-1', VOTE, vote({ start: '0801 10 8080808080808010' })],
    ['a varint of eleven bytes', 'above 2^53-1', VOTE, vote({ start: '0801 10 ffffffffffffffffffff01' })],
    ['a varint of 2^64', 'above 2^53-1', VOTE, vote({ start: '0801 10 80808080808080808002' })],
    ['a u32 above its range', 'at most 4294967295', VOTE, vote({ start: '0801 1005 18 8080808010' })],
    ['an unknown enum value', 'at most 2', VOTE, vote({ start: '0803 1005' })],
    ['a wrong wire type', 'wire type', VOTE, vote({ start: '0801 1100000000000000' })],
    ['a group', 'wire type', VOTE, vote({ start: '0b0c' })],
    [
      'a hash of 31 bytes',
      'accepted: 0 or 32',
      VOTE,
      vote({ hash: tagged(0x22, Uint8Array.of(31), hash.subarray(2)) })
    ],
    ['an empty byte string that is written', 'accepted: 0 or 32', VOTE, vote({ hash: hex('2200') })],
    ['a field that must be there and is not', 'signature is missing', VOTE, vote({ rest: tagged(0x2a, hash) })],
    ['nothing at all', 'is missing', VOTE, new Uint8Array(0)],
    ['an end inside a field', 'are left', VOTE, vote().subarray(0, -1)],
    ['an end inside a varint', 'ends inside a number', VOTE, hex('0801 1080')],
    ['an end after a tag', 'ends inside a field', VOTE, hex('0801 10')],
    ['a length above all that is left', 'are left', VOTE, hex('0801 1005 1801 22 ffffffffffffff0f 00')],
    ['an embedded message that overruns its own length', '0 are left', COMMIT, commitWith(hex('22 02 0a20'))],
    ['something trailing in an embedded message', 'unknown field', COMMIT, commitWith(signatureEntry(hex('1801')))],
    ['a default in an embedded message', 'though it is empty', EVENT_BODY, hex('22 02 0a00')],
    ['an embedded message that must be there', 'resource is missing', EVENT_BODY, hex('0801 2801')],
    ['an empty string that is written', 'though it is empty', EVENT_BODY, hex('1a00')],
    ['a string that is not UTF-8', 'not valid UTF-8', EVENT_BODY, hex('1a02 c080')],
    ['a lone surrogate', 'not valid UTF-8', EVENT_BODY, hex('1a03 eda080')],
    ['an empty blob', 'body', SIGNED_EVENT, hex('0a00')],
    ['a hash in a path that is too short', 'has 1 bytes', PROOF, hex('1a 07 0801 1002 1a01 ff')],
    ['an empty hash in a path', 'has 0 bytes', PROOF, hex('1a 06 0801 1002 1a00')],
    ['a proof twice', 'there twice', PROOF, hex('1a 02 0801 1a 02 0801')],
    ['a refusal beside a proof', 'unknown field', PROOF, hex('1a 02 0801 7a 02 0801')],
    ['a header of nothing but hashes twice', 'is missing', HEADER, tagged(0x1a, hash)]
  ]

  function commitWith(rest: Uint8Array): Uint8Array {
    return concatBytes(hex('0805'), tagged(0x1a, hash), rest)
  }

  function signatureEntry(trailing: Uint8Array): Uint8Array {
    const entry = concatBytes(tagged(0x0a, hash), tagged(0x12, signature), trailing)
    return concatBytes(Uint8Array.of(0x22, entry.byteLength), entry)
  }

  test.each(faults)('%s', (_name, message, rule, bytes) => {
    expect(() => assertCanonical(rule, bytes)).toThrow(
      expect.objectContaining({ code: 'NON_CANONICAL', message: expect.stringContaining(message) })
    )
  })

  test('optional scalars may be written as their default', () => {
    const resource = concatBytes(hex('22 06 0a01 61 1201 62'))
    expect(accepts(EVENT_BODY, concatBytes(hex('0801 1000'), resource, hex('2801 3200')))).toBe(true)
  })

  test('an unsorted and a large message are the business of others: text beyond ASCII is accepted', () => {
    const id = utf8('ключ/😀')
    const resource = concatBytes(hex('0a0161 12'), Uint8Array.of(id.length), id)
    expect(accepts(EVENT_BODY, concatBytes(Uint8Array.of(0x22, resource.length), resource))).toBe(true)
  })

  test('the largest u64 is accepted', () => {
    expect(accepts(VOTE, vote({ start: '0801 10 ffffffffffffff0f' }))).toBe(true)
  })
})

test('a range is walked as a view of it would be', () => {
  const bytes = vote()
  const padded = concatBytes(hex('ffff'), bytes, hex('ffff'))
  assertCanonicalRange(VOTE, padded, 2, 2 + bytes.length)
  expect(() => assertCanonicalRange(VOTE, padded, 2, 1 + bytes.length)).toThrow()
})
