import fc from 'fast-check'
import { expect, test } from 'vitest'
import { duplicateKey, membersOf, oddNumber } from '../../src/chain/json-text.ts'
import { runs } from '../support/runs.ts'

test('whatever JSON.stringify writes has no key twice', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(undefined, 1, '\t'), (value, space) => {
      expect(duplicateKey(JSON.stringify(value, undefined, space))).toBeUndefined()
    }),
    runs(300)
  )
})

test('a key that is put in a second time is found, whatever is around it', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 }), fc.jsonValue(), (object, around) => {
      const key = Object.keys(object).at(-1) as string
      const text = JSON.stringify(object)
      const twice = `${text.slice(0, -1)},${JSON.stringify(key)}:1}`
      expect(duplicateKey(`[${JSON.stringify(around)},${twice}]`)).toBe(key)
    }),
    runs(300)
  )
})

/** A value and one way to write it. */
const written = fc.letrec<{ value: string; text: string; number: string }>((tie) => ({
  text: fc.string().map((text) => JSON.stringify(text)),
  number: fc.constantFrom('0', '-0', '1e400', '9007199254740993', '1.50', '12345678901234567890123', '1E+2'),
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom('true', 'false', 'null', '{}', '[]', '[ ]'),
    tie('text'),
    tie('number'),
    fc.array(tie('value'), { minLength: 1, maxLength: 3 }).map((values) => `[${values.join(' ,\t')}]`),
    fc.array(fc.tuple(tie('text'), tie('value')), { minLength: 1, maxLength: 3 }).map((members) => objectOf(members))
  )
}))

function objectOf(members: readonly (readonly [string, string])[]): string {
  return `{ ${members.map(([key, value]) => `${key} :${value}`).join(' , ')} }`
}

test('the members of an object are given as they are written, whatever they are', () => {
  const members = fc.uniqueArray(fc.tuple(fc.string(), written.value), { selector: ([key]) => key, maxLength: 5 })
  fc.assert(
    fc.property(members, (members) => {
      const text = objectOf(members.map(([key, value]) => [JSON.stringify(key), value]))
      const parsed = JSON.parse(text) as object
      expect([...membersOf(text)]).toEqual(members)
      expect(new Set(membersOf(text).keys())).toEqual(new Set(Object.keys(parsed)))
    }),
    runs(300)
  )
})

test('a number that is not written in digits is found, with the key before it', () => {
  const odd = ['-0', '-1', '1.0', '1e3', '1E3', '0.1', '1e400']
  fc.assert(
    fc.property(fc.constantFrom(...odd), fc.array(fc.nat()), fc.string(), (number, around, key) => {
      const text = `{"a": ${JSON.stringify(around)}, "b": "-1", ${JSON.stringify(key)}: [${number}]}`
      expect(oddNumber(text)).toEqual({ key, number })
      expect(oddNumber(text.replace(`[${number}]`, '[9007199254740993, true, null, "1e3"]'))).toBeUndefined()
    }),
    runs(100)
  )
})
