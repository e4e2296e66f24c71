import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { mayAct } from '../../src/chain/check-events.ts'
import {
  checkEvent,
  EventBody,
  eventId,
  indexKeys,
  indexKeysOf,
  Outcome,
  signEvent,
  verifyEventSignature
} from '../../src/chain/event.ts'
import { leafHash } from '../../src/chain/merkle.ts'
import { DEFAULT_PARAMS } from '../../src/chain/params.ts'
import { concatBytes, toHex, utf8 } from '../../src/codec/bytes.ts'
import { SignedEvent } from '../../src/codec/generated/event.ts'
import { runs } from '../support/runs.ts'
import { eventFields, keyOf, oddEvent, testChain, testEvent } from './fixture.ts'

const chain = testChain()
const { hash } = chain.genesis
const withCode = (code: string, message = '') =>
  expect.objectContaining({ code, message: expect.stringContaining(message) })

describe('an event', () => {
  const event = testEvent(chain, 1)

  test('is signed and checked to the same thing', () => {
    const checked = checkEvent(event.bytes, DEFAULT_PARAMS)
    expect(checked).toEqual(event)
    expect(verifyEventSignature(hash, checked)).toBe(true)
    expect(toHex(event.id)).toBe(toHex(leafHash(concatBytes(event.actor, event.signature, event.body))))
    expect(event.fields).toEqual(eventFields(1))
  })

  test('of one chain means nothing on another', () => {
    expect(verifyEventSignature(testChain(4, { chainId: 'other' }).genesis.hash, event)).toBe(false)
  })

  test('keeps no frame alive', () => {
    const frame = concatBytes(new Uint8Array(1000), event.bytes)
    const checked = checkEvent(frame.subarray(1000), DEFAULT_PARAMS)
    for (const part of [checked.bytes, checked.actor, checked.body]) expect(part.buffer).not.toBe(frame.buffer)
    frame.fill(0)
    expect(checked.id).toEqual(eventId(checked.actor, checked.signature, checked.body))
  })

  test('has the keys of the three indexes', () => {
    const keys = indexKeys(event)
    expect(keys).toEqual([event.actor, utf8('repo\0project/file-1'), utf8('repo.commit')])
    expect(indexKeysOf(event.bytes)).toEqual(keys)
  })

  test('may be by anyone, or by those of the genesis', () => {
    const closed = testChain(1, { actors: [keyOf('actor')] }).genesis
    expect([mayAct(closed, event.actor), mayAct(closed, keyOf('b').publicKey)]).toEqual([true, false])
    expect(mayAct(chain.genesis, keyOf('b').publicKey)).toBe(true)
  })
})

test('EVENT_TOO_LARGE', () => {
  const event = testEvent(chain, 1)
  const params = { ...DEFAULT_PARAMS, maxEventBytes: event.bytes.byteLength }
  expect(checkEvent(event.bytes, params).id).toEqual(event.id)
  const less = { ...params, maxEventBytes: event.bytes.byteLength - 1 }
  expect(() => checkEvent(event.bytes, less)).toThrow(withCode('EVENT_TOO_LARGE', 'accepted: at most'))
})

describe('EVENT_MALFORMED', () => {
  const event = testEvent(chain, 1)
  const cases: [what: string, bytes: Uint8Array][] = [
    ['no event', utf8('hello')],
    ['nothing', new Uint8Array(0)],
    ['something trailing', concatBytes(event.bytes, Uint8Array.of(0x20, 1))],
    ['an actor of 31 bytes', SignedEvent.encode({ ...event, actor: event.actor.slice(1) })],
    ['a signature of 65 bytes', SignedEvent.encode({ ...event, signature: new Uint8Array(65).fill(1) })],
    ['no body', SignedEvent.encode({ ...event, body: new Uint8Array(0) })],
    ['a body with an unknown field', oddEvent(chain, concatBytes(event.body, Uint8Array.of(0x40, 1)))],
    ['a body without a resource', oddEvent(chain, concatBytes(Uint8Array.of(0x1a, 1), utf8('a')))],
    [
      'an unknown outcome',
      oddEvent(
        chain,
        event.body.map((byte, i) => (event.body[i - 1] === 0x28 ? 9 : byte))
      )
    ]
  ]
  test.each(cases)('%s', (_what, bytes) => {
    expect(() => checkEvent(bytes, DEFAULT_PARAMS)).toThrow(withCode('EVENT_MALFORMED'))
  })
})

describe('EVENT_BOUNDS', () => {
  const word = 'accepted: 1 to'
  const cases: [what: string, changes: Partial<EventBody>, message: string][] = [
    ['no action', { action: '' }, `action is ""; ${word} 64`],
    ['an action of 65 bytes', { action: 'a'.repeat(65) }, 'action is "aaa'],
    ['an action in capitals', { action: 'Repo' }, 'action is "Repo"'],
    ['an action with a line end', { action: 'repo\n' }, 'action is "repo\\n"'],
    ['no kind', { resource: { kind: '', id: 'x' } }, `resource.kind is ""; ${word} 32`],
    ['a kind of 33 bytes', { resource: { kind: 'k'.repeat(33), id: 'x' } }, 'resource.kind is "kkk'],
    ['a kind with a space', { resource: { kind: 'a b', id: 'x' } }, 'resource.kind is "a b"'],
    ['no id', { resource: { kind: 'k', id: '' } }, 'resource.id is 0 bytes long; accepted: 1 to 512'],
    ['an id of 514 bytes in 257 letters', { resource: { kind: 'k', id: 'ж'.repeat(257) } }, 'resource.id is 514 bytes'],
    ['no outcome', { outcome: Outcome.UNSPECIFIED }, 'outcome is unspecified; accepted: SUCCESS'],
    ['a name of 66 bytes', { actorName: 'ж'.repeat(33) }, 'actor_name is 66 bytes long; accepted: at most 64'],
    ['a metadata key twice', { metadata: [pair('a'), pair('a')] }, 'metadata key "a" comes after'],
    ['metadata keys descending', { metadata: [pair('b'), pair('a')] }, 'metadata key "a" comes after'],
    // By UTF-16 code units they ascend, by bytes they do not.
    ['metadata keys by code units', { metadata: [pair('\u{1f600}'), pair('\uffee')] }, 'comes after'],
    ['metadata without a first key but the second', { metadata: [pair('a'), pair('')] }, 'comes after']
  ]

  function pair(key: string): { key: string; value: string } {
    return { key, value: 'v' }
  }

  test.each(cases)('%s', (_what, changes, message) => {
    const fields = eventFields(1, changes)
    const bytes = oddEvent(chain, EventBody.encode(fields))
    expect(() => checkEvent(bytes, DEFAULT_PARAMS)).toThrow(withCode('EVENT_BOUNDS', message))
    expect(() => signEvent(hash, keyOf('actor'), fields)).toThrow(withCode('EVENT_BOUNDS', message))
  })

  test('what cannot be written down is not signed', () => {
    const cases: Partial<EventBody>[] = [
      { timestamp: 2 ** 53 },
      { timestamp: 1.5 },
      { occurredAt: -1 },
      { resource: { kind: 'k', id: '\ud800' } },
      { actorName: '\udfff' },
      { metadata: [{ key: 'a', value: '\ud800' }] }
    ]
    for (const changes of cases) {
      expect(() => signEvent(hash, keyOf('actor'), eventFields(1, changes))).toThrow(withCode('EVENT_BOUNDS'))
    }
  })

  test('the bounds themselves are accepted', () => {
    const fields = eventFields(1, {
      timestamp: Number.MAX_SAFE_INTEGER,
      occurredAt: 0,
      action: 'a-z0.9_'.padEnd(64, 'x'),
      resource: { kind: 'k'.repeat(32), id: 'ж'.repeat(256) },
      actorName: '',
      metadata: [pair(''), pair('\uffee'), pair('\u{1f600}')]
    })
    const { bytes } = signEvent(hash, keyOf('actor'), fields)
    expect(checkEvent(bytes, DEFAULT_PARAMS).fields).toEqual(fields)
  })
})

test('index keys from bytes are those from fields', () => {
  const word = fc.stringMatching(/^[a-z0-9._-]{1,20}$/)
  const id = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
  fc.assert(
    fc.property(word, word, id, fc.boolean(), (action, kind, text, bare) => {
      const { timestamp, outcome } = eventFields(1)
      const fields = { timestamp, outcome, action, resource: { kind, id: text }, metadata: [] }
      const event = signEvent(hash, keyOf('actor'), bare ? fields : { ...eventFields(1), ...fields })
      expect(indexKeysOf(event.bytes)).toEqual(indexKeys(event))
    }),
    runs(50)
  )
})
