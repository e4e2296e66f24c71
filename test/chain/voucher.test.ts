import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type CheckedEvent, verifyEventSignature } from '../../src/chain/event.ts'
import { checkEventsMessage } from '../../src/chain/gossip-events.ts'
import { claimOf, vouchedEvents } from '../../src/chain/voucher.ts'
import { joinEvents, splitEvents } from '../../src/codec/raw.ts'
import type { KeyPair } from '../../src/crypto/ed25519.ts'
import { keyOf, testChain, testEvent } from './fixture.ts'

const chain = testChain(4)
const { genesis } = chain
const events = [1, 2, 3].map((index) => testEvent(chain, index))
const bytes = events.map((event) => event.bytes)
const key = (index: number): KeyPair => chain.keys[index] as KeyPair

const check = (payload: Uint8Array) =>
  checkEventsMessage(genesis, payload, {
    isSigned: (event: CheckedEvent) => verifyEventSignature(genesis.hash, event),
    giveWay: nextTurn
  })

test('a validator vouches for events, whoever hands them on; without a voucher nobody does', async () => {
  for (const index of [0, 3]) {
    expect(await check(vouchedEvents(genesis.hash, key(index), bytes))).toEqual({
      ok: true,
      message: { events, voucher: index }
    })
  }
  expect(await check(joinEvents(bytes))).toEqual({ ok: true, message: { events, voucher: undefined } })
})

const { voucher } = splitEvents(vouchedEvents(genesis.hash, key(1), bytes))
const good = voucher as NonNullable<typeof voucher>
const bit = (signature: Uint8Array): Uint8Array => signature.map((byte, at) => (at === 40 ? byte ^ 1 : byte))
const elsewhere = testChain(4, { chainId: 'elsewhere' })

test.each<[string, Uint8Array]>([
  ['of a stranger', vouchedEvents(genesis.hash, keyOf('a stranger'), bytes)],
  ['of another chain', vouchedEvents(elsewhere.genesis.hash, key(1), bytes)],
  ['said to be of another validator', joinEvents(bytes, { ...good, validator: key(2).publicKey })],
  ['with a bit changed', joinEvents(bytes, { ...good, signature: bit(good.signature) })],
  ['over more events', joinEvents([...bytes, testEvent(chain, 4).bytes], good)],
  ['over fewer events', joinEvents(bytes.slice(1), good)],
  ['over another order', joinEvents(bytes.toReversed(), good)]
])('a voucher %s is false, for everybody', async (_, payload) => {
  expect(await check(payload)).toEqual({ ok: false, code: 'BAD_VOUCHER' })
  // Of a stranger: nobody's word, which is found when the message is checked.
  expect(['false', 'none']).toContain(claimOf(genesis, payload).kind)
})

test('whose word a message has is told by its end, and what is said to be a validator’s and is not is refused by all', async () => {
  expect(claimOf(genesis, vouchedEvents(genesis.hash, key(2), bytes))).toEqual({ kind: 'true', validator: 2 })
  expect(claimOf(genesis, joinEvents(bytes))).toEqual({ kind: 'none' })
  const tail = vouchedEvents(genesis.hash, key(1), bytes).subarray(-102)
  for (const before of [new Uint8Array(0), joinEvents(bytes.slice(1)), Uint8Array.of(255, 1, 2), tail]) {
    const payload = Uint8Array.from([...before, ...tail])
    expect(claimOf(genesis, payload)).toEqual({ kind: 'false' })
    expect(await check(payload)).toMatchObject({ ok: false })
    expect(claimOf(genesis, payload.subarray(0, -1))).toEqual({ kind: 'none' })
    expect(claimOf(genesis, payload.subarray(-101))).toEqual({ kind: 'none' })
  }
})

test('a false event makes a message false, whoever vouches for it', async () => {
  const forged = bytes.map((event, index) => (index === 1 ? bit(event) : event))
  expect(await check(vouchedEvents(genesis.hash, key(1), forged))).toMatchObject({ ok: false })
})
