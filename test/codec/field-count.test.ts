import { gossipsub } from '@libp2p/gossipsub'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { concatBytes } from '../../src/codec/bytes.ts'
import { countFields, type Shape } from '../../src/codec/field-count.ts'
import { RPC } from '../../src/network/gossip-inbound.ts'
import { runs } from '../support/runs.ts'

const MAX = 1000

function varint(value: number): Uint8Array {
  const bytes: number[] = []
  for (let left = value; ; left = Math.floor(left / 128)) {
    if (left < 128) return Uint8Array.from([...bytes, left])
    bytes.push((left % 128) + 128)
  }
}

interface Encoded {
  readonly bytes: Uint8Array
  readonly fields: number
}

/** Any message of a shape, with unknown fields of all kinds among the known, and how many fields it has. */
function messages(shape: Shape): fc.Arbitrary<Encoded> {
  const fields = [...Object.entries(shape), ['15', 'u64'], ['14', 'bytes']] as [string, Shape[number]][]
  const one = fields.map(([number, kind]) => field(Number(number), kind))
  return fc.array(fc.oneof(...one), { maxLength: 8 }).map((parts) => ({
    bytes: concatBytes(...parts.map(({ bytes }) => bytes)),
    fields: parts.reduce((sum, part) => sum + part.fields, 0)
  }))
}

function field(number: number, kind: Shape[number] | undefined): fc.Arbitrary<Encoded> {
  if (kind === 'u32' || kind === 'u64') {
    return fc.nat(2 ** 31 - 1).map((value) => ({ bytes: concatBytes(varint(number * 8), varint(value)), fields: 1 }))
  }
  const content =
    kind === 'bytes' || kind === undefined
      ? fc.uint8Array({ maxLength: 40 }).map((bytes) => ({ bytes, fields: 0 }))
      : messages(kind)
  return content.map(({ bytes, fields }) => ({
    bytes: concatBytes(varint(number * 8 + 2), varint(bytes.byteLength), bytes),
    fields: fields + 1
  }))
}

/** gossipsub's own decoder, which makes an object of every field. */
const decode = (bytes: Uint8Array): unknown => {
  const none = { forComponent: () => Object.assign(() => {}, { error: () => {}, trace: () => {} }) }
  const service = gossipsub()({ logger: none } as never)
  return (service as unknown as { decodeRpc(bytes: Uint8Array): unknown }).decodeRpc(bytes)
}

/** Objects, texts and numbers in a decoded message. */
function parts(value: unknown): number {
  if (value instanceof Uint8Array || typeof value !== 'object' || value === null) return 1
  return Object.values(value).reduce((sum: number, one) => sum + (one === undefined ? 0 : parts(one)), 0)
}

const count = (bytes: Uint8Array, max = MAX): number | undefined => {
  try {
    return countFields(bytes, RPC, max)
  } catch (error) {
    expect(error).toMatchObject({ code: 'BAD_WIRE' })
    return undefined
  }
}

describe('counting fields', () => {
  it('counts those of all levels, and ends at the limit', () => {
    fc.assert(
      fc.property(messages(RPC), ({ bytes, fields }) => {
        expect(count(bytes)).toBe(fields)
        if (fields > 0) expect(count(bytes, fields - 1)).toBeUndefined()
      }),
      runs(200)
    )
  })

  it('of any bytes that it takes, decoding makes no more than it has counted', () => {
    const changed = fc.tuple(messages(RPC), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }))
    fc.assert(
      fc.property(changed, ([{ bytes }, changes]) => {
        const frame = bytes.slice()
        for (const [at, byte] of changes) if (frame.length > 0) frame[at % frame.length] = byte
        const counted = count(frame)
        if (counted === undefined) return
        let decoded: unknown
        try {
          decoded = decode(frame)
        } catch {
          return
        }
        expect(parts(decoded)).toBeLessThanOrEqual(counted)
      }),
      runs(500)
    )
  })

  it('what decoders read otherwise is refused', () => {
    const cases: Record<string, number[]> = {
      'a control message as a number': [0x18, 2, 0x0a, 0],
      'a subscription’s number as bytes': [0x0a, 4, 0x0a, 2, 0x12, 0],
      'a length of more than five bytes': [0x12, 0x82, 0x80, 0x80, 0x80, 0x80, 0x00, 0x22, 0],
      'a tag of more than five bytes': [0x92, 0x80, 0x80, 0x80, 0x80, 0x00, 0],
      'a 32-bit number of more than five bytes': [0x0a, 7, 0x08, 0x81, 0x80, 0x80, 0x80, 0x80, 0x00],
      'a group': [0x7b, 0x7c],
      'more than there is': [0x12, 9],
      'nothing after the tag': [0x12]
    }
    for (const [name, bytes] of Object.entries(cases))
      expect([name, count(Uint8Array.from(bytes))]).toEqual([name, undefined])
  })

  it('a frame of four million bytes costs as much as its limit, not as its length', () => {
    const bytes = new Uint8Array(4 << 20)
    for (let at = 0; at < bytes.length; at += 2) bytes[at] = 0x12
    let read = 0
    const watched = new Proxy(bytes, {
      get: (target, key) => {
        if (typeof key === 'string' && /^\d+$/.test(key)) read += 1
        return Reflect.get(target, key, target)
      }
    })
    expect(count(watched)).toBeUndefined()
    expect(read).toBeLessThan(2 * MAX + 10)
  })
})
