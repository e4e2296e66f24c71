import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { ValidatorSet } from '../../src/chain/validators.ts'
import { toHex } from '../../src/codec/bytes.ts'
import { keyOf } from './fixture.ts'

const set = (size: number): ValidatorSet =>
  new ValidatorSet(Array.from({ length: size }, (_, i) => ({ name: `v${i}`, publicKey: keyOf(`v${i}`).publicKey })))

test.each([
  [1, 1, 0],
  [2, 2, 0],
  [3, 3, 0],
  [4, 3, 1],
  [5, 4, 1],
  [6, 5, 1],
  [7, 5, 2],
  [10, 7, 3],
  [128, 86, 42]
])('%i validators: a quorum is %i, %i may be faulty', (size, quorum, faulty) => {
  const validators = set(size)
  expect([validators.quorum, validators.faulty]).toEqual([quorum, faulty])
  // Two quorums share more than the faulty, and the others alone make one.
  expect(2 * quorum - size).toBeGreaterThan(faulty)
  expect(size - faulty).toBeGreaterThanOrEqual(quorum)
})

test('the hash is over the keys in order', () => {
  const validators = set(3)
  const hash = createHash('sha256').update('moloch/validators/v1')
  for (const key of validators.keys) hash.update(key)
  expect(toHex(validators.hash)).toBe(hash.digest('hex'))
})

test('indexes are those of the genesis', () => {
  const validators = set(4)
  expect(validators.keys.map((key) => validators.indexOf(key))).toEqual([0, 1, 2, 3])
  expect(validators.indexOf(keyOf('stranger').publicKey)).toBe(-1)
  expect(validators.indexOf(new Uint8Array(0))).toBe(-1)
  const [first = new Uint8Array(32)] = validators.keys
  expect(validators.indexOf(first.with(31, (first[31] as number) ^ 1))).toBe(-1)
  expect(validators.indexOf(first.subarray(0, 31))).toBe(-1)
  const twins = [first, first.with(9, 1), first.with(9, 2)]
  const twinSet = new ValidatorSet(twins.map((publicKey, i) => ({ name: `v${i}`, publicKey })))
  expect(twins.map((key) => twinSet.indexOf(key))).toEqual([0, 1, 2])
})

test('the proposer is (h + r) mod n, without overflow', () => {
  const validators = set(3)
  expect([0, 1, 2, 3].map((round) => validators.proposer(1, round))).toEqual([1, 2, 0, 1])
  const height = Number.MAX_SAFE_INTEGER
  expect(validators.proposer(height, 0xffff_ffff)).toBe(Number((BigInt(height) + 0xffff_ffffn) % 3n))
})
