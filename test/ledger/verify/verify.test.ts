import { cpSync, mkdtempSync, readdirSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { beforeAll, expect, test } from 'vitest'
import { utf8 } from '../../../src/codec/bytes.ts'
import { Ledger } from '../../../src/ledger/ledger.ts'
import { verifyHome } from '../../../src/ledger/verify/verify.ts'
import { silentLog } from '../../../src/log.ts'
import { Database } from '../../../src/store/database.ts'
import { bytesKey, heightKey, rangeOf, TABLE, type Table } from '../../../src/store/keys.ts'
import { applyAll } from '../../support/chain-builder.ts'
import { ChainMaker } from '../../support/chain-maker.ts'
import { tempDir } from '../../support/temp-dir.ts'

type Level = ClassicLevel<Uint8Array, Uint8Array>

const maker = new ChainMaker({ eventsPerBlock: 4, actors: 3, resources: 5, params: { snapshotInterval: 5 } })
const { genesis } = maker
const home = mkdtempSync(join(tmpdir(), 'moloch-'))

beforeAll(async () => {
  const tuning = { segmentEvents: 20, stateWork: 40 }
  const ledger = await Ledger.open({ path: home, genesis, log: silentLog, tuning })
  // Block 3 is empty.
  await applyAll(
    ledger,
    Array.from({ length: 18 }, (_, i) => maker.next(maker.events(i === 2 ? 0 : 4)))
  )
  await ledger.saveMempool(maker.events(2))
  await ledger.close()
  return () => rmSync(home, { recursive: true })
})

test('a whole home passes, with progress up to its tip', async () => {
  const progress: number[] = []
  const report = await verifyHome({ path: home, genesis, onProgress: ({ height }) => progress.push(height) })
  expect(report).toEqual({ height: 18, events: 68, fault: undefined })
  expect(progress.at(-1)).toBe(18)
})

test('read only, a home passes as well and stays as it is; a table that is cut short is damage and no bug', async () => {
  const copy = tempDir()
  cpSync(home, copy, { recursive: true })
  const names = readdirSync(copy)
  expect(await verifyHome({ path: copy, genesis, readOnly: true })).toEqual({
    height: 18,
    events: 68,
    fault: undefined
  })
  expect(readdirSync(copy)).toEqual(names)
  await (await Database.open(copy, { genesisHash: genesis.hash, create: false })).close()
  for (const name of readdirSync(copy)) if (name.endsWith('.ldb')) truncateSync(join(copy, name), 100)
  for (const readOnly of [true, false]) {
    await expect(verifyHome({ path: copy, genesis, readOnly })).rejects.toMatchObject({
      code: 'STORE_CORRUPT',
      message: expect.stringContaining(`the database in ${copy} is damaged`)
    })
  }
})

test('what checks the blocks can be somebody else', async () => {
  const check = async (frames: Uint8Array[]) =>
    frames.map(() => ({ ok: false, failure: { code: 'BAD_SEAL', message: 'says he', stage: 0 } }) as const)
  expect((await verifyHome({ path: home, genesis, check })).fault).toBe('block 1: BAD_SEAL: says he')
})

/** Damage, and how the fault's line begins. */
const damages: [what: string, damage: (level: Level) => Promise<void>, fault: RegExp][] = [
  ['a bit of an event', flip(heightKey(TABLE.BLOCK, 7), 400), /^block 7: (BAD_EVENTS_ROOT|NON_CANONICAL): /],
  ['a bit of the last signature', flip(heightKey(TABLE.BLOCK, 9), -1), /^block 9: COMMIT_BAD_SIGNATURE: /],
  ['a block that is gone', remove(heightKey(TABLE.BLOCK, 5)), /^block 5 is missing; the tip is 18$/],
  ['the tip’s block that is gone', remove(heightKey(TABLE.BLOCK, 18)), /^block 18 is missing; the tip is 18$/],
  ['a block of another height', copy(heightKey(TABLE.BLOCK, 6), heightKey(TABLE.BLOCK, 4)), /^block 4: BAD_HEIGHT: /],
  ['a block above the tip', copy(heightKey(TABLE.BLOCK, 6), heightKey(TABLE.BLOCK, 19)), /^block 19 is above the tip/],
  ['a leaf of the MMR', flip(heightKey(TABLE.MMR, 8), 3), /^block 8: wrong MMR nodes$/],
  ['an inner node of the MMR', flip(heightKey(TABLE.MMR, 7), 40), /^block 7: wrong MMR nodes$/],
  ['a leaf of the MMR too many', copy(heightKey(TABLE.MMR, 8), heightKey(TABLE.MMR, 19)), /^there are 20 MMR leaves/],
  ['an event id', flip(heightKey(TABLE.EVENT_IDS, 2), 20), /^block 2: wrong row of event ids$/],
  ['the time beside the ids', flip(heightKey(TABLE.EVENT_IDS, 2), 7), /^block 2: wrong row of event ids$/],
  [
    'ids of an empty block',
    copy(heightKey(TABLE.EVENT_IDS, 2), heightKey(TABLE.EVENT_IDS, 3)),
    /^block 3: wrong row of/
  ],
  ['a key prefix', flip(heightKey(TABLE.EVENT_KEYS, 16), 1), /^block 16: wrong row of event keys$/],
  ['keys that are gone', remove(heightKey(TABLE.EVENT_KEYS, 16)), /^block 16: wrong row of event keys$/],
  [
    'a header beside its block',
    put(heightKey(TABLE.HEADER, 4), new Uint8Array(9)),
    /^block 4: wrong row of its header$/
  ],
  ['a header of no block', put(heightKey(TABLE.HEADER, 19), new Uint8Array(9)), /^there are 1 rows of headers, not 0$/],
  ['a block hash', removeFirst(TABLE.HASH), /^block \d+: its hash leads to nothing$/],
  ['a hash too many', put(bytesKey(TABLE.HASH, new Uint8Array(32)), new Uint8Array(6)), /^there are 19 block hashes/],
  [
    'a row of the event index',
    flipFirst(TABLE.SEGMENT, 2),
    /^block \d+: wrong event index \(row \d+ of its segment\)$/
  ],
  ['a row of the event index that is gone', removeFirst(TABLE.SEGMENT), /^block \d+: wrong event index/],
  ['an entry of the state', flipFirst(TABLE.STATE, 52), /^state at block 14: wrong entry [0-9a-f]{64} of index 0$/],
  ['an entry of the state that is gone', removeFirst(TABLE.STATE), /^state at block 14: 0 entries in index 0, not 3$/],
  [
    'an entry of the state too many',
    put(bytesKey(TABLE.STATE, Uint8Array.of(0, 0)), new Uint8Array(104)),
    /^state at block 14: wrong entry 0{64} of index 0$/
  ],
  [
    'a torn bucket',
    put(bytesKey(TABLE.STATE, Uint8Array.of(2, 0)), new Uint8Array(103)),
    /^state at block 14: wrong bucket 00 of index 2$/
  ],
  ['the hash of a bucket', flipFirst(TABLE.STATE, 0), /^state at block 14: wrong hash of bucket 00 of index 0$/],
  ['a key of the state', flipFirst(TABLE.STATE_KEY, 0), /^state at block 14: wrong key [0-9a-f]{64} of index 0$/],
  ['a key of the state that is gone', removeFirst(TABLE.STATE_KEY), /^state at block 14: 2 keys in index 0, not 3$/],
  ['the state’s height', put(bytesKey(TABLE.META, utf8('state')), new Uint8Array(12)), /^state at block 0: /],
  ['the tip’s hash', flip(bytesKey(TABLE.META, utf8('tip')), 20), /^the tip is not block 18$/],
  ['a waiting event', flipFirst(TABLE.MEMPOOL, 0), /damaged \(event 1 of the mempool: /]
]

test.each(damages)('%s', async (_, damage, fault) => {
  const path = join(tempDir(), 'home')
  cpSync(home, path, { recursive: true })
  const level: Level = new ClassicLevel(path, { keyEncoding: 'view', valueEncoding: 'view' })
  await level.open()
  await damage(level)
  await level.close()
  const report = await verifyHome({ path, genesis })
  expect(report.fault).toMatch(fault)
  expect(report.fault).not.toContain('\n')
})

function flip(key: Uint8Array, at: number) {
  return async (level: Level): Promise<void> => {
    const value = Uint8Array.from((await level.get(key)) as Uint8Array)
    const place = at < 0 ? value.byteLength + at : at
    value[place] = (value[place] as number) ^ 1
    await level.put(key, value)
  }
}

function remove(key: Uint8Array) {
  return (level: Level): Promise<void> => level.del(key)
}

function put(key: Uint8Array, value: Uint8Array) {
  return (level: Level): Promise<void> => level.put(key, value)
}

function copy(from: Uint8Array, to: Uint8Array) {
  return async (level: Level): Promise<void> => level.put(to, (await level.get(from)) as Uint8Array)
}

async function firstKey(level: Level, table: Table): Promise<Uint8Array> {
  const [key] = await level.keys({ ...rangeOf(table), limit: 1 }).all()
  return key as Uint8Array
}

function flipFirst(table: Table, at: number) {
  return async (level: Level): Promise<void> => flip(await firstKey(level, table), at)(level)
}

function removeFirst(table: Table) {
  return async (level: Level): Promise<void> => level.del(await firstKey(level, table))
}
