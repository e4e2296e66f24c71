import { createHash } from 'node:crypto'
import { ED25519_TORSION_SUBGROUP, ed25519 } from '@noble/curves/ed25519.js'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { concatBytes, fromHex, toHex, utf8 } from '../../src/codec/bytes.ts'
import * as sodium from '../../src/crypto/ed25519.ts'
import * as portable from '../../src/crypto/portable/ed25519.ts'
import { runs } from '../support/runs.ts'

const { Point } = ed25519
type Point = InstanceType<typeof Point>
const L = Point.Fn.ORDER
const P = Point.Fp.ORDER

const hex = (text: string): Uint8Array => fromHex(text) as Uint8Array

function littleEndian(value: bigint): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn))
}

function fromLittleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n)
}

/** k = SHA-512(R ‖ A ‖ M) as an integer, not reduced: its residue modulo 8 tells what a torsion part of A does. */
function challenge(r: Uint8Array, a: Uint8Array, message: Uint8Array): bigint {
  return fromLittleEndian(createHash('sha512').update(r).update(a).update(message).digest())
}

/** multiply() refuses 0. */
function times(point: Point, scalar: bigint): Point {
  const reduced = ((scalar % L) + L) % L
  return reduced === 0n ? Point.ZERO : point.multiply(reduced)
}

const SECRET = 0x1234_5678_9abc_def0_1122_3344_5566_7788n
const NONCE = 0x0fed_cba9_8765_4321_0123_4567_89ab_cdefn
const HONEST = times(Point.BASE, SECRET)
/** A point of order 8: the torsion list has one for each residue. */
const TORSION: Point = ED25519_TORSION_SUBGROUP.map((text) => Point.fromHex(text)).find(
  (point) => !point.double().double().is0()
) as Point

/** The first message for which the predicate on k holds. */
function messageFor(r: Uint8Array, a: Uint8Array, holds: (k: bigint) => boolean): Uint8Array {
  for (let i = 0; ; i++) {
    const message = utf8(`message ${i}`)
    // Scalars act on torsion after reduction modulo L, as verifiers reduce k.
    if (holds(challenge(r, a, message) % L)) return message
  }
}

/** S that makes the equation S·B = R + k·A hold for the parts of R and A in the prime-order group. */
function scalarFor(secret: bigint, nonce: bigint, r: Uint8Array, a: Uint8Array, message: Uint8Array): Uint8Array {
  return littleEndian((nonce + (challenge(r, a, message) % L) * secret) % L)
}

/** libsodium for Node and the one for browsers: the same functions, the same vectors. */
describe.each([
  ['libsodium', sodium],
  ['portable', portable]
])('%s', (_, { isPublicKey, keyPairFromSeed, sign, verify }) => {
  describe('RFC 8032', () => {
    // §7.1, TEST 1 to 3.
    const vectors: [seed: string, publicKey: string, message: string, signature: string][] = [
      [
        '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
        'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
        '',
        'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b'
      ],
      [
        '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
        '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
        '72',
        '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00'
      ],
      [
        'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
        'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
        'af82',
        '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a'
      ]
    ]
    test.each(vectors)('signs and verifies with seed %s', (seed, publicKey, message, signature) => {
      const key = keyPairFromSeed(hex(seed))
      expect(toHex(key.publicKey)).toBe(publicKey)
      expect(toHex(sign(key, hex(message)))).toBe(signature)
      expect(verify(key.publicKey, hex(message), hex(signature))).toBe(true)
    })
  })

  describe('verify', () => {
    const key = keyPairFromSeed(new Uint8Array(32).fill(7))
    const message = utf8('a message')
    const signature = sign(key, message)

    test('refuses any flipped bit', () => {
      for (let bit = 0; bit < 512; bit += 7) {
        const bad = new Uint8Array(signature)
        bad[bit >> 3] = (bad[bit >> 3] as number) ^ (1 << (bit & 7))
        expect(verify(key.publicKey, message, bad), `bit ${bit}`).toBe(false)
      }
      expect(verify(key.publicKey, utf8('A message'), signature)).toBe(false)
      expect(verify(keyPairFromSeed(new Uint8Array(32)).publicKey, message, signature)).toBe(false)
    })

    test.each([0, 31, 33])('refuses a key of %i bytes', (length) => {
      expect(verify(new Uint8Array(length), message, signature)).toBe(false)
    })

    test.each([0, 63, 65])('refuses a signature of %i bytes', (length) => {
      expect(verify(key.publicKey, message, new Uint8Array(length))).toBe(false)
    })
  })

  /**
   * Where verifiers of Ed25519 differ. Two nodes that differ here can be made to disagree on a commit, so what libsodium
   * does is written down: a version, or another library, that moves fails here and not on a chain. Each vector satisfies
   * every other rule than the one it is about, by construction.
   */
  describe('edge cases', () => {
    const honest = HONEST.toBytes()
    const r = times(Point.BASE, NONCE).toBytes()

    test('the construction itself: an honest signature from its parts is valid', () => {
      const message = utf8('any')
      const signature = concatBytes(r, scalarFor(SECRET, NONCE, r, honest, message))
      expect(verify(honest, message, signature)).toBe(true)
    })

    test('S ≥ L is refused: S + L satisfies the equation', () => {
      const message = utf8('any')
      const s = fromLittleEndian(scalarFor(SECRET, NONCE, r, honest, message))
      for (let more = s + L; more < 1n << 256n; more += L) {
        expect(verify(honest, message, concatBytes(r, littleEndian(more)))).toBe(false)
      }
    })

    test('A of small order is refused, though k·A vanishes', () => {
      for (const text of ED25519_TORSION_SUBGROUP) {
        const a = hex(text)
        const message = messageFor(r, a, (k) => k % 8n === 0n)
        expect(verify(a, message, concatBytes(r, littleEndian(NONCE))), text).toBe(false)
        expect(isPublicKey(a), text).toBe(false)
      }
    })

    test('R of small order is refused, though S·B = R + k·A', () => {
      const identity = Point.ZERO.toBytes()
      const message = utf8('any')
      const signature = concatBytes(identity, scalarFor(SECRET, 0n, identity, honest, message))
      expect(verify(honest, message, signature)).toBe(false)
    })

    test('R of small order is refused where only the cofactored equation holds', () => {
      for (const text of ED25519_TORSION_SUBGROUP) {
        const small = hex(text)
        const message = utf8('any')
        expect(verify(honest, message, concatBytes(small, scalarFor(SECRET, 0n, small, honest, message))), text).toBe(
          false
        )
      }
    })

    // y = 0 … 18 can be written as y + p; of such points only those of small order have a known secret key.
    test('A that is not canonical is refused', () => {
      const one = littleEndian(P + 1n)
      const signed = littleEndian(1n | (1n << 255n))
      const zero = littleEndian(P)
      for (const a of [one, signed, zero]) {
        const message = messageFor(r, a, (k) => k % 8n === 0n)
        expect(verify(a, message, concatBytes(r, littleEndian(NONCE))), toHex(a)).toBe(false)
        expect(isPublicKey(a), toHex(a)).toBe(false)
      }
    })

    test('a key whose y is above p is refused as a public key', () => {
      for (let y = 0n; y < 19n; y++) expect(isPublicKey(littleEndian(P + y))).toBe(false)
    })

    test('R that is not canonical is refused', () => {
      for (const odd of [littleEndian(P + 1n), littleEndian(1n | (1n << 255n))]) {
        const message = utf8('any')
        const signature = concatBytes(odd, scalarFor(SECRET, 0n, odd, honest, message))
        expect(verify(honest, message, signature), toHex(odd)).toBe(false)
      }
    })

    test('A with a torsion part is accepted where the cofactorless equation holds', () => {
      const mixed = HONEST.add(TORSION).toBytes()
      const message = messageFor(r, mixed, (k) => k % 8n === 0n)
      expect(verify(mixed, message, concatBytes(r, scalarFor(SECRET, NONCE, r, mixed, message)))).toBe(true)
      // One signature of eight verifies: such a key is nothing to build a chain on, and a genesis does not take it.
      expect(isPublicKey(mixed)).toBe(false)
    })

    test('A with a torsion part is refused where only the cofactored equation holds', () => {
      const mixed = HONEST.add(TORSION).toBytes()
      const message = messageFor(r, mixed, (k) => k % 8n !== 0n)
      expect(verify(mixed, message, concatBytes(r, scalarFor(SECRET, NONCE, r, mixed, message)))).toBe(false)
    })

    test('R with a torsion part is refused: only the cofactored equation holds', () => {
      const mixed = times(Point.BASE, NONCE).add(TORSION).toBytes()
      const message = utf8('any')
      const signature = concatBytes(mixed, scalarFor(SECRET, NONCE, mixed, honest, message))
      expect(verify(honest, message, signature)).toBe(false)
    })

    test('bytes that are no point are refused', () => {
      const none = littleEndian(2n)
      expect(() => Point.fromBytes(none)).toThrow()
      expect(verify(none, utf8('any'), new Uint8Array(64).fill(1))).toBe(false)
      expect(isPublicKey(none)).toBe(false)
      expect(isPublicKey(honest.subarray(1))).toBe(false)
      expect(isPublicKey(honest)).toBe(true)
    })
  })
})

describe('both', () => {
  test('have the same exports and sizes', () => {
    expect(Object.keys(portable).sort()).toEqual(Object.keys(sodium).sort())
    const sizes = Object.entries(sodium).filter(([name]) => name.endsWith('_BYTES'))
    expect(Object.fromEntries(Object.entries(portable))).toMatchObject(Object.fromEntries(sizes))
  })

  const seed = fc.uint8Array({ minLength: 32, maxLength: 32 })
  const message = fc.uint8Array({ maxLength: 80 })

  test('make the same keys and signatures, and say the same of changed ones', () => {
    const change = fc.array(fc.tuple(fc.nat(95), fc.nat(255)), { maxLength: 3 })
    fc.assert(
      fc.property(seed, message, change, (seed, message, changes) => {
        const key = sodium.keyPairFromSeed(seed)
        const signature = sodium.sign(key, message)
        expect(portable.keyPairFromSeed(seed)).toEqual(key)
        expect(portable.sign(key, message)).toEqual(signature)
        const both = concatBytes(key.publicKey, signature)
        for (const [at, mask] of changes) both[at] = (both[at] as number) ^ mask
        agree(both.subarray(0, 32), message, both.subarray(32))
      }),
      runs(150)
    )
  })

  test('say the same of bytes that nobody signed, near the edges too', () => {
    const edge = fc.constantFrom(
      ...ED25519_TORSION_SUBGROUP.map(hex),
      ...[0n, 1n, L - 1n, L, L + 1n, P - 1n, P, P + 1n, P + 18n, 2n ** 255n, 2n ** 256n - 1n].map(littleEndian),
      times(Point.BASE, NONCE).toBytes()
    )
    const part = fc.oneof(edge, seed)
    fc.assert(
      fc.property(part, part, part, message, (a, r, s, message) => {
        agree(a, message, concatBytes(r, s))
      }),
      runs(400)
    )
  })

  test('say the same of signatures whose parts have a torsion part', () => {
    const torsion = fc.constantFrom(...ED25519_TORSION_SUBGROUP.map((text) => Point.fromHex(text)))
    let valid = 0
    fc.assert(
      fc.property(torsion, torsion, message, (ofA, ofR, message) => {
        const a = HONEST.add(ofA).toBytes()
        const r = times(Point.BASE, NONCE).add(ofR).toBytes()
        if (agree(a, message, concatBytes(r, scalarFor(SECRET, NONCE, r, a, message)))) valid++
      }),
      runs(200)
    )
    expect(valid).toBeGreaterThan(0)
  })

  function agree(a: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
    const expected = sodium.verify(a, message, signature)
    expect(portable.verify(a, message, signature), `${toHex(a)} ${toHex(signature)}`).toBe(expected)
    expect(portable.isPublicKey(a), toHex(a)).toBe(sodium.isPublicKey(a))
    return expected
  }
})
