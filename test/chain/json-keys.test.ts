import fc from 'fast-check'
import { expect, test } from 'vitest'
import { duplicateKey } from '../../src/chain/json-keys.ts'
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
