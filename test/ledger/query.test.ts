import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type CheckedEvent, checkEvent } from '../../src/chain/event.ts'
import { splitBlock } from '../../src/codec/raw.ts'
import { hasCode } from '../../src/error.ts'
import { type EventFilter, type EventPage, Ledger } from '../../src/ledger/ledger.ts'
import { silentLog } from '../../src/log.ts'
import { applyAll } from '../support/chain-builder.ts'
import { ChainMaker } from '../support/chain-maker.ts'
import { runs } from '../support/runs.ts'

const dir = mkdtempSync(join(tmpdir(), 'moloch-'))
const maker = new ChainMaker({ eventsPerBlock: 4, actors: 3, resources: 4, actions: 2 })
let ledger: Ledger
/** All events in the order of the chain. */
const all: { height: number; index: number; event: CheckedEvent }[] = []

beforeAll(async () => {
  ledger = await Ledger.open({ path: dir, genesis: maker.genesis, log: silentLog })
  // Every third block is empty, one is large.
  const blocks = Array.from({ length: 20 }, (_, i) => maker.next(maker.events(i % 3 === 0 ? 0 : i === 10 ? 50 : 4)))
  await applyAll(ledger, blocks)
  for (const block of blocks) {
    for (const [index, bytes] of splitBlock(block.blockBytes).events.entries()) {
      all.push({ height: block.height, index, event: checkEvent(bytes, maker.genesis.params) })
    }
  }
})

afterAll(async () => {
  await ledger.close()
  rmSync(dir, { recursive: true })
})

function expected(filter: EventFilter): string[] {
  const matches = all.filter(({ height, event: { actor, fields } }) => {
    const { resource = { kind: '', id: '' } } = fields
    return (
      (filter.actor === undefined || Buffer.compare(filter.actor, actor) === 0) &&
      (filter.action === undefined || filter.action === fields.action) &&
      (filter.resourceKind === undefined || filter.resourceKind === resource.kind) &&
      (filter.resource === undefined ||
        (filter.resource.kind === resource.kind && filter.resource.id === resource.id)) &&
      height >= (filter.from ?? 0) &&
      height <= (filter.to ?? Infinity)
    )
  })
  const places = matches.map(({ height, index }) => `${height}-${index}`)
  return filter.reverse === true ? places.reverse() : places
}

const filters: fc.Arbitrary<EventFilter> = fc.record(
  {
    actor: fc.constantFrom(...maker.actors.map(({ publicKey }) => publicKey), new Uint8Array(32)),
    resource: fc.record({
      kind: fc.constantFrom('document', 'other'),
      id: fc.integer({ min: 0, max: 4 }).map((i) => `archive/${i}`)
    }),
    resourceKind: fc.constantFrom('document', 'document', 'doc'),
    action: fc.constantFrom('action-0', 'action-1', 'action'),
    from: fc.integer({ min: 0, max: 22 }),
    to: fc.integer({ min: 0, max: 22 }),
    reverse: fc.boolean()
  },
  { requiredKeys: [] }
)

async function allPages(filter: EventFilter, limit: number) {
  const pages: EventPage[] = []
  do pages.push(await ledger.events(filter, pages.at(-1)?.nextCursor, limit))
  while (pages.at(-1)?.nextCursor !== undefined)
  return { pages, places: pages.flatMap(({ events }) => events.map(({ height, index }) => `${height}-${index}`)) }
}

test('pages of any size put together are what a look at every event gives', async () => {
  await fc.assert(
    fc.asyncProperty(filters, fc.integer({ min: 1, max: 30 }), async (filter, limit) => {
      const { places, pages } = await allPages(filter, limit)
      expect(places).toEqual(expected(filter))
      for (const { events } of pages.slice(0, -1)) expect(events.length).toBe(limit)
    }),
    runs(150)
  )
})

test('a cursor stays good while the chain grows', async () => {
  const first = await ledger.events({}, undefined, 3)
  const second = await ledger.events({}, first.nextCursor, 1000)
  expect([...first.events, ...second.events].map(({ height, index }) => `${height}-${index}`)).toEqual(expected({}))
})

test('a cursor that is none is refused and says what would do', async () => {
  const error = await ledger.events({}, '1;2', 10).catch((e) => e)
  expect(hasCode(error, 'BAD_CURSOR')).toBe(true)
  expect(error.message).toBe('cursor "1;2" is none; accepted: a page\'s next_cursor')
})

test('scans that end early lose nothing and repeat nothing', async () => {
  const scanBounds = { rows: 3, blocks: 2, bytes: 1 << 20 }
  await ledger.close()
  ledger = await Ledger.open({ path: dir, genesis: maker.genesis, log: silentLog, tuning: { scanBounds } })
  let short = 0
  await fc.assert(
    fc.asyncProperty(filters, fc.integer({ min: 1, max: 30 }), async (filter, limit) => {
      const { places, pages } = await allPages(filter, limit)
      expect(places).toEqual(expected(filter))
      short += pages.slice(0, -1).filter((page) => page.events.length < limit).length
      for (const { events } of pages) expect(new Set(events.map(({ height }) => height)).size).toBeLessThanOrEqual(2)
    }),
    // Few runs may draw no filter that ends early: that of all events does.
    { ...runs(100), examples: [[{}, 30]] }
  )
  expect(short).toBeGreaterThan(0)
})
