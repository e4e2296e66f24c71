import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { indexKeys } from '../../src/chain/event.ts'
import { hashEvents } from '../../src/chain/event-hashes.ts'
import { genesisHeader } from '../../src/chain/header.ts'
import { StateIndexes } from '../../src/chain/state.ts'
import { concatBytes, toHex, u64be, utf8 } from '../../src/codec/bytes.ts'
import { sha256 } from '../../src/crypto/sha256.ts'
import { runs } from '../support/runs.ts'
import { testBlock, testChain, testEvent } from './fixture.ts'
import { type NaiveEntry, naiveTrieRoot } from './support/naive-trie.ts'

const chain = testChain(1)
const VALIDATORS_HASH = chain.genesis.validators.hash

/** 40 events over few actors, resources and actions, so that keys meet again. */
const EVENTS = Array.from({ length: 40 }, (_, i) =>
  testEvent(
    chain,
    i,
    { action: `act.${i % 3}`, resource: { kind: `kind-${i % 2}`, id: `${i % 7} – “ü”` } },
    `actor ${i % 4}`
  )
)

type Event = (typeof EVENTS)[number]

function blockOf(events: readonly Event[]) {
  const bytes = events.map((event) => event.bytes)
  return { ...hashEvents(bytes), blockBytes: testBlock(chain, { events: bytes }).blockBytes }
}

/** Protocol §6 from the list of all events. */
class NaiveState {
  readonly maps = [0, 1, 2].map(() => new Map<string, NaiveEntry & { key: Uint8Array }>())
  total = 0

  fold(events: readonly Event[]): void {
    this.total += events.length
    for (const event of events) {
      for (const [index, key] of indexKeys(event).entries()) {
        const map = this.maps[index] as (typeof this.maps)[number]
        const old = map.get(toHex(key)) ?? { count: 0, head: new Uint8Array(32) }
        const head = sha256(concatBytes(Uint8Array.of(2), old.head, event.id))
        map.set(toHex(key), { key, keyHash: sha256(key), count: old.count + 1, head })
      }
    }
  }

  root(): string {
    const roots = this.maps.map((map) => naiveTrieRoot([...map.values()]))
    return toHex(sha256(concatBytes(utf8('moloch/state/v1'), u64be(this.total), VALIDATORS_HASH, ...roots)))
  }
}

const blocks = fc.array(fc.array(fc.constantFrom(...EVENTS), { maxLength: 8 }), { maxLength: 12 })

describe('the state indexes', () => {
  it('start with the state root of block 0', () => {
    expect(toHex(new StateIndexes().root(VALIDATORS_HASH))).toBe(toHex(genesisHeader(chain.genesis).stateRoot))
  })

  it('have the state root of the definition after any blocks, and the same when restored from what they gave out', () => {
    fc.assert(
      fc.property(blocks, fc.integer({ min: 1, max: 5 }), (list, every) => {
        const state = new StateIndexes()
        const naive = new NaiveState()
        const stored = new Map<string, ReturnType<StateIndexes['takeDirty']>[number]>()
        for (const [i, events] of list.entries()) {
          state.fold(blockOf(events))
          naive.fold(events)
          if (i % every === 0) expect(toHex(state.root(VALIDATORS_HASH))).toBe(naive.root())
          if (i % every === every - 1) for (const e of state.takeDirty()) stored.set(`${e.index} ${toHex(e.key)}`, e)
        }
        for (const entry of state.takeDirty()) stored.set(`${entry.index} ${toHex(entry.key)}`, entry)
        expect(state.takeDirty()).toEqual([])
        expect(toHex(state.root(VALIDATORS_HASH))).toBe(naive.root())
        expect(state.eventTotal).toBe(naive.total)

        const rows = [...stored.values()]
        for (const { index, keyHash, key, count, head } of rows) {
          expect(toHex(keyHash)).toBe(toHex(sha256(key)))
          const expected = naive.maps[index]?.get(toHex(key))
          expect([count, toHex(head)]).toEqual([expected?.count, toHex(expected?.head ?? new Uint8Array(0))])
          expect(state.get(index, keyHash)).toEqual({ count, head })
        }
        expect(rows.length).toBe(naive.maps.reduce((total, map) => total + map.size, 0))

        const again = new StateIndexes()
        again.load(rows.slice(0, rows.length >> 1), 0)
        again.load(rows.slice(rows.length >> 1), state.eventTotal)
        expect(again.dirtyCount).toBe(0)
        expect(toHex(again.root(VALIDATORS_HASH))).toBe(naive.root())
        const more = blockOf(EVENTS.slice(0, 3))
        again.fold(more)
        naive.fold(EVENTS.slice(0, 3))
        expect(toHex(again.root(VALIDATORS_HASH))).toBe(naive.root())
      }),
      runs(40)
    )
  })

  it('give out only what changed since the last take, with the raw key', () => {
    const state = new StateIndexes()
    state.fold(blockOf(EVENTS))
    expect(state.dirtyCount).toBe(4 + 14 + 3)
    expect(state.takeDirty().length).toBe(4 + 14 + 3)
    state.fold(blockOf(EVENTS.slice(5, 6)))
    const event = EVENTS[5] as Event
    const entries = state.takeDirty()
    expect(entries.map(({ index, key }) => [index, toHex(key)])).toEqual(
      indexKeys(event).map((key, index) => [index, toHex(key)])
    )
    expect(entries.map(({ count }) => count)).toEqual([11, 4, 14])
    expect([0, 1, 2].map((index) => state.sizeOf(index as 0 | 1 | 2))).toEqual([4, 14, 3])
  })

  it('does not keep a block alive through its keys', () => {
    const state = new StateIndexes()
    state.fold(blockOf(EVENTS))
    for (const { key } of state.takeDirty()) expect(key.buffer.byteLength).toBeLessThan(10_000)
  })
})
