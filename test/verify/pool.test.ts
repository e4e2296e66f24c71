import { afterEach, describe, expect, test } from 'vitest'
import {
  type CheckResult,
  checkFinalized,
  checkHistory,
  checkLink,
  checkProposed
} from '../../src/chain/check-block.ts'
import { checkHeader } from '../../src/chain/check-header.ts'
import { type CheckedEvent, verifyEventSignature } from '../../src/chain/event.ts'
import { checkEventsMessage } from '../../src/chain/gossip-events.ts'
import { checkChunk } from '../../src/chain/snapshot-chunks.ts'
import { readManifest } from '../../src/chain/snapshot-manifest.ts'
import { VerifiedEvents } from '../../src/chain/verified-events.ts'
import { vouchedEvents } from '../../src/chain/voucher.ts'
import { concatBytes, utf8 } from '../../src/codec/bytes.ts'
import { joinEvents } from '../../src/codec/raw.ts'
import type { KeyPair } from '../../src/crypto/ed25519.ts'
import { VerifyPool, type VerifyPoolOptions } from '../../src/verify/pool.ts'
import { finalize, keyOf, testBlock, testChain, testEvent } from '../chain/fixture.ts'
import { makeSnapshot, someEntries } from '../chain/support/snapshot.ts'
import { chainInMemory } from '../support/chain-maker.ts'
import { remade, trustedHeaders } from '../support/trusted-headers.ts'

const chain = testChain()
const { genesis } = chain
const events = Array.from({ length: 20 }, (_, i) => testEvent(chain, i).bytes)
const frame = (count: number, seal?: Uint8Array): Uint8Array<ArrayBuffer> =>
  finalize(chain, testBlock(chain, { events: events.slice(0, count), ...(seal === undefined ? {} : { seal }) }))

const open: VerifyPool[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((pool) => pool.close()))
})

function pool(options: Partial<VerifyPoolOptions> = {}): VerifyPool {
  const made = new VerifyPool({ genesisJson: genesis.json, size: 1, ...options })
  open.push(made)
  return made
}

const odd = (options: Partial<VerifyPoolOptions> = {}): VerifyPool =>
  pool({ workerUrl: new URL('./fixtures/odd-worker.mjs', import.meta.url), ...options })
const order = (letter: string): Uint8Array[] => [utf8(letter)]
const withCode = (code: string) => expect.objectContaining({ code })

describe('a pool of real workers', () => {
  test('answers as the checks themselves do, in order', async () => {
    const frames = [
      frame(20),
      frame(0),
      utf8('nonsense'),
      frame(3, new Uint8Array(64)),
      frame(1),
      concatBytes(frame(2), Uint8Array.of(0))
    ]
    const results = await pool({ size: 2 }).check(frames)
    expect(results).toEqual(frames.map((bytes) => checkFinalized(genesis, bytes)))
    const [first] = results as [CheckResult]
    expect(first.ok && checkLink(genesis, chain.next, first.block)).toBeUndefined()
  })

  test('checks chunks of snapshots', async () => {
    const snapshot = await makeSnapshot({ height: 200, indexes: [someEntries(50), someEntries(3), []] })
    const read = readManifest(snapshot.chain.genesis, snapshot.manifest)
    if (!read.ok) throw new Error(read.failure.message)
    const { chunks } = read.manifest
    const workers = pool({ genesisJson: snapshot.chain.genesis.json })
    for (const [index, plan] of chunks.entries()) {
      const data = snapshot.chunks[index] as Uint8Array
      expect(await workers.checkChunk(plan, data)).toBeUndefined()
      const short = data.subarray(0, -1)
      const expected = checkChunk(snapshot.chain.genesis, chunks, index, short)
      expect({ ok: false, failure: await workers.checkChunk(plan, short) }).toEqual(expected)
    }
  })

  test('leaves the frames to the caller', async () => {
    const bytes = frame(2)
    const large = concatBytes(utf8('before'), bytes, utf8('after'))
    const [result] = await pool().check([large.subarray(6, 6 + bytes.byteLength)])
    expect(result?.ok).toBe(true)
    expect(large.subarray(6, 6 + bytes.byteLength)).toEqual(bytes)
  })

  test('checks events again only if asked', async () => {
    const forged = new Uint8Array(events[0] as Uint8Array)
    forged[forged.length - 1] = (forged.at(-1) as number) ^ 1
    const bytes = finalize(chain, testBlock(chain, { events: [forged] }))
    const workers = pool()
    const [believed] = await workers.check([bytes])
    const [checked] = await workers.check([bytes], { verifyEvents: true })
    expect(believed).toMatchObject({ ok: true })
    expect(believed?.ok && believed.block.deferred).toBeUndefined()
    expect(checked).toMatchObject({ block: { deferred: { code: 'EVENT_BAD_SIGNATURE' } } })
  })

  test('checks proposals', async () => {
    const { blockBytes } = testBlock(chain, { events })
    const workers = pool()
    expect(await workers.checkProposed(blockBytes)).toEqual(checkProposed(genesis, blockBytes))
    expect(await workers.checkProposed(utf8('nonsense'))).toMatchObject({ failure: { code: 'NON_CANONICAL' } })
  })

  test('shares what it verified with its threads and with whoever else has the memory', async () => {
    const verified = new VerifiedEvents(genesis.hash, VerifiedEvents.memoryFor(64))
    const workers = pool({ size: 2, verified })
    const { blockBytes } = testBlock(chain, { events })
    const { blockBytes: reversed } = testBlock(chain, { events: [...events].reverse() })
    expect(verified.isSigned(testEvent(chain, 0))).toBe(true)
    expect(await workers.checkProposed(blockBytes)).toEqual(checkProposed(genesis, blockBytes))
    expect([verified.checked, verified.spared]).toEqual([20, 1])
    expect(await workers.checkProposed(reversed)).toEqual(checkProposed(genesis, reversed))
    expect(verified.isSigned(testEvent(chain, 19))).toBe(true)
    expect([verified.checked, verified.spared]).toEqual([20, 22])
  })

  test('checks history by what its hash vouches for, and no signature', async () => {
    const altered = finalize(chain, testBlock(chain, { events: events.slice(0, 3) }))
    const swapped = altered.slice()
    // A byte of the last event's signature, which no other check of this kind looks at.
    const at = Buffer.from(altered).lastIndexOf(Buffer.from((events[2] as Uint8Array).subarray(-64))) + 1
    swapped[at] = (swapped[at] as number) ^ 1
    const frames = [frame(20), frame(0), utf8('nonsense'), frame(3, new Uint8Array(64)), altered, swapped]
    const workers = pool({ size: 2 })
    const results = await workers.checkHistory(frames)
    expect(results).toEqual(frames.map((bytes) => checkHistory(genesis, bytes)))
    const [full] = await workers.check([frame(20)])
    expect(results[0]).toEqual({
      ok: true,
      block: { ...(full as { block: object }).block, checked: 'history', commit: undefined }
    })
    expect(results[3]).toMatchObject({ ok: true, block: { header: { eventCount: 3 } } })
    expect(results[3]?.ok && results[3].block.deferred).toBeUndefined()
    expect(results[5]).toMatchObject({ block: { deferred: { code: 'BAD_EVENTS_ROOT' }, eventIds: new Uint8Array(0) } })
  })

  test('answers about headers as the check itself does, in order', async () => {
    const memory = chainInMemory(40, { eventsPerBlock: 0, seed: 53 })
    const { maker } = memory
    const good = trustedHeaders(memory)
    const first = good[0] as Uint8Array
    const frames = [
      ...good,
      utf8('nonsense'),
      remade(maker, first, { signers: [0, 1] }),
      first,
      new Uint8Array(0),
      remade(maker, first, { seal: new Uint8Array(64) }),
      concatBytes(first, Uint8Array.of(0))
    ]
    const workers = pool({ genesisJson: memory.genesis.json })
    const results = await workers.checkHeaders(frames)
    expect(results).toEqual(frames.map((bytes) => checkHeader(memory.genesis, bytes)))
    expect(await workers.checkHeaders([])).toEqual([])
    const joined = concatBytes(utf8('before'), first, utf8('after'))
    const [one] = await workers.checkHeaders([joined.subarray(6, 6 + first.byteLength)])
    expect(one?.ok && one.header.bytes).toEqual(first)
    expect(joined.subarray(6, 6 + first.byteLength)).toEqual(first)
  })

  test('many calls at once, each with its own answer', async () => {
    const workers = pool({ size: 2 })
    const calls = Array.from({ length: 40 }, (_, i) => workers.check([frame(i % 20)]))
    const results = await Promise.all(calls)
    results.forEach(([result], i) => {
      expect(result?.ok && result.block.header.eventCount).toBe(i % 20)
    })
    expect(workers.queueDepth).toBe(0)
  })

  test('no frames, no results', async () => {
    expect(await pool().check([])).toEqual([])
  })
})

describe('what consensus waits for', () => {
  /** A pool whose thread begins when all that is asked of it is there. */
  function gated() {
    const verified = new VerifiedEvents(genesis.hash, VerifiedEvents.memoryFor(64))
    const gate = new Int32Array(verified.memory)
    const workers = pool({ verified, workerUrl: new URL('./fixtures/gated-worker.mjs', import.meta.url) })
    const open = () => {
      Atomics.store(gate, 0, 1)
      Atomics.notify(gate, 0)
    }
    return { workers, open, verified }
  }
  const block = (count: number) => testBlock(chain, { events: events.slice(0, count) })

  test('is checked first: a certified block, then proposals, the newest first, then all else as it came', async () => {
    const { workers, open } = gated()
    const order: string[] = []
    const done = (name: string) => () => order.push(name)
    const jobs = [
      workers.check([frame(1)]).then(done('sync')),
      workers.checkProposed(block(1).blockBytes).then(done('old proposal')),
      workers.checkEvents(joinEvents(events), 'unvouched').then(done('events')),
      workers.checkProposed(block(2).blockBytes).then(done('new proposal')),
      workers.checkCertified(frame(2)).then(done('certified'))
    ]
    open()
    await Promise.all(jobs)
    // What a thread had begun gave way; the second of those that can wait is with it already.
    expect(order).toEqual(['certified', 'new proposal', 'old proposal', 'sync', 'events'])
  })

  test('goes before events: those that nobody vouches for wait for all else, whenever they came', async () => {
    const { workers, open } = gated()
    const order: string[] = []
    const done = (name: string) => () => order.push(name)
    const flood = Array.from({ length: 6 }, (_, i) =>
      workers.checkEvents(joinEvents(events.slice(i)), 'unvouched').then(done('unvouched'))
    )
    const vouched = vouchedEvents(genesis.hash, chain.keys[1] as KeyPair, events)
    const jobs = [
      ...flood,
      workers.check([frame(1)]).then(done('sync')),
      workers.checkEvents(vouched, 'vouched').then(done('vouched')),
      workers.check([frame(2)]).then(done('sync')),
      workers.checkProposed(block(1).blockBytes).then(done('proposal'))
    ]
    open()
    await Promise.all(jobs)
    // Two of the flood are with the thread already: what came later and is with it as well goes before them all the same.
    expect(order.slice(0, 2)).toEqual(['proposal', 'vouched'])
    expect(order.slice(-4)).toEqual(Array(4).fill('unvouched'))
  })

  test('waits for no room', async () => {
    const { workers, open } = gated()
    const order: string[] = []
    const later = Array.from({ length: 9 }, () => workers.check([frame(1)]).then(() => order.push('later')))
    const urgent = workers.checkCertified(frame(2)).then(() => order.push('certified'))
    open()
    await Promise.all([...later, urgent])
    expect(order[0]).toBe('certified')
    expect(order).toHaveLength(10)
  })

  test('and is wanted no more is not done: no signature of it is checked', async () => {
    const { workers, open, verified } = gated()
    const height = new AbortController()
    const dead = workers.checkProposed(block(20).blockBytes, { signal: height.signal })
    height.abort()
    await expect(dead).rejects.toEqual(withCode('VERIFY_CANCELLED'))
    const before = workers.checkProposed(block(1).blockBytes, { signal: height.signal })
    await expect(before).rejects.toEqual(withCode('VERIFY_CANCELLED'))
    open()
    const { ok } = await workers.checkProposed(block(2).blockBytes)
    // The gate's own 1, and two signatures.
    expect([ok, verified.checked]).toEqual([true, 3])
    expect(workers.queueDepth).toBe(0)
  })
})

describe('messages of events', () => {
  const messages: readonly Uint8Array[] = [
    joinEvents(events),
    joinEvents(events.slice(0, 1)),
    vouchedEvents(genesis.hash, chain.keys[2] as KeyPair, events),
    vouchedEvents(genesis.hash, keyOf('a stranger'), events),
    joinEvents([events[0] as Uint8Array, events[0] as Uint8Array]),
    joinEvents([(events[0] as Uint8Array).subarray(1)]),
    joinEvents([testEvent(testChain(4, { chainId: 'other' }), 1).bytes]),
    joinEvents([]),
    utf8('nonsense')
  ]

  test('are judged as on the main loop, and their events are the same', async () => {
    const workers = pool()
    for (const payload of messages) {
      const expected = await checkEventsMessage(genesis, payload, {
        isSigned: (event) => verifyEventSignature(genesis.hash, event),
        giveWay: async () => {}
      })
      const large = concatBytes(utf8('before'), payload, utf8('after'))
      const checked = await workers.checkEvents(large.subarray(6, 6 + payload.byteLength), 'unvouched')
      if (!expected.ok || !checked.ok) {
        expect(checked).toEqual(expected)
        continue
      }
      const all = ({ id, bytes, actor, signature, body, fields, timestamp }: CheckedEvent) => {
        return { id, bytes, actor, signature, body, fields, timestamp }
      }
      expect(checked.message.voucher).toBe(expected.message.voucher)
      expect(checked.message.events.map(all)).toEqual(expected.message.events.map(all))
      // Kept for as long as they wait: they keep nothing else alive.
      for (const { bytes, id } of checked.message.events) {
        expect([bytes.buffer.byteLength, id.buffer.byteLength]).toEqual([bytes.byteLength, 32])
      }
    }
  })
})

describe('back-pressure', () => {
  test('calls beyond the room wait, and get it in order', async () => {
    const workers = odd({ maxJobs: 2 })
    const done: number[] = []
    const calls = [0, 1, 2, 3, 4].map((i) => workers.check(order('a')).then(() => done.push(i)))
    expect(workers.queueDepth).toBe(5)
    await Promise.all(calls)
    expect(done).toEqual([0, 1, 2, 3, 4])
    expect(workers.queueDepth).toBe(0)
  })

  test('a call that waits holds no copy: what it is given is read when its turn comes', async () => {
    const workers = odd({ maxJobs: 1 })
    const bytes = utf8('aa')
    const first = workers.check([bytes])
    const late = workers.check([bytes])
    bytes[0] = 'e'.charCodeAt(0)
    expect(await first).toHaveLength(1)
    await expect(late).rejects.toEqual(withCode('VERIFY_FAILED'))
  })
})

describe('faults', () => {
  test('a thread that dies rejects its jobs and is replaced', async () => {
    const workers = odd()
    for (const letter of ['d', 'x']) {
      const dying = workers.check(order(letter))
      const behind = workers.check(order('a'))
      await expect(dying).rejects.toEqual(withCode('VERIFY_CRASHED'))
      await expect(behind).rejects.toEqual(withCode('VERIFY_CRASHED'))
      expect(await workers.check(order('a'))).toMatchObject([{ failure: { message: 'ends at 1' } }])
    }
  })

  test('jobs that no thread had yet survive the death of one', async () => {
    const workers = odd()
    const calls = ['d', 'a', 'a', 'a'].map((letter) => workers.check(order(letter)))
    const settled = await Promise.allSettled(calls)
    expect(settled.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled', 'fulfilled'])
  })

  test('a checker that throws is a bug of one job', async () => {
    const workers = odd()
    await expect(workers.check(order('e'))).rejects.toEqual(withCode('VERIFY_FAILED'))
    expect(await workers.check(order('a'))).toHaveLength(1)
  })

  test('threads that cannot start are not started for ever', async () => {
    const workers = pool({ workerUrl: new URL('./fixtures/dead-worker.mjs', import.meta.url), size: 2 })
    const outcomes: string[] = []
    while (!outcomes.includes('VERIFY_FAILED')) {
      await workers.check(order('a')).catch((error: { code: string }) => outcomes.push(error.code))
    }
    expect(outcomes.length).toBeLessThan(8)
    await expect(workers.check(order('a'))).rejects.toThrow('cannot start')
  })
})

describe('closing', () => {
  test('refuses what is in work, what is queued and what waits', async () => {
    const workers = odd({ maxJobs: 4 })
    const calls = ['h', 'h', 'h', 'a', 'a', 'a'].map((letter) => workers.check(order(letter)))
    const settled = Promise.allSettled(calls)
    await workers.close()
    for (const result of await settled)
      expect(result).toEqual({ status: 'rejected', reason: withCode('VERIFY_CLOSED') })
    await expect(workers.check(order('a'))).rejects.toEqual(withCode('VERIFY_CLOSED'))
    expect(workers.queueDepth).toBe(0)
    await workers.close()
  })
})
