import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { indexKeys } from '../../src/chain/event.ts'
import { hashEvents } from '../../src/chain/event-hashes.ts'
import { genesisHeader } from '../../src/chain/header.ts'
import { STATE_INDEXES, StateIndexes } from '../../src/chain/state.ts'
import { concatBytes, toHex, u64be, utf8 } from '../../src/codec/bytes.ts'
import { sha256 } from '../../src/crypto/sha256.ts'
import { runs } from '../support/runs.ts'
import { testChain, testEvent } from './fixture.ts'
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

  it('have the state root of the definition after any blocks', () => {
    fc.assert(
      fc.property(blocks, fc.integer({ min: 1, max: 5 }), (list, every) => {
        const state = new StateIndexes()
        const naive = new NaiveState()
        for (const [i, events] of list.entries()) {
          state.fold(hashEvents(events.map(({ bytes }) => bytes)))
          naive.fold(events)
          if (i % every === 0) expect(toHex(state.root(VALIDATORS_HASH))).toBe(naive.root())
        }
        expect(toHex(state.root(VALIDATORS_HASH))).toBe(naive.root())
        expect(state.eventTotal).toBe(naive.total)
        for (const index of STATE_INDEXES) {
          const map = naive.maps[index] as Map<string, NaiveEntry>
          expect(state.sizeOf(index)).toBe(map.size)
          for (const { keyHash, count, head } of map.values()) {
            const entry = state.get(index, keyHash)
            expect([entry?.count, toHex(entry?.head as Uint8Array)]).toEqual([count, toHex(head)])
          }
        }
      }),
      runs(40)
    )
  })
})
