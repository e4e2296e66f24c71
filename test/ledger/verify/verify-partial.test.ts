import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { beforeAll, expect, test } from 'vitest'
import { type CheckedBlock, checkHistory } from '../../../src/chain/check-block.ts'
import { utf8 } from '../../../src/codec/bytes.ts'
import { Ledger } from '../../../src/ledger/ledger.ts'
import { verifyHome } from '../../../src/ledger/verify/verify.ts'
import { silentLog } from '../../../src/log.ts'
import { bytesKey, heightBytes, heightKey, rangeOf, TABLE, type Table } from '../../../src/store/keys.ts'
import { applyAll } from '../../support/chain-builder.ts'
import { chainInMemory } from '../../support/chain-maker.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { forgetHistory } from '../../support/warped.ts'

type Level = ClassicLevel<Uint8Array, Uint8Array>

// Held are 10 … 19 and 24 … 34, certified from 28, and 30 … 34 came with the checkpoint and after it.
const TIP = 34
const BASE = 30
const chain = chainInMemory(TIP, {
  seed: 72,
  eventsPerBlock: 3,
  actors: 3,
  resources: 6,
  params: { snapshotInterval: 10 }
})
const { genesis } = chain
const folder = mkdtempSync(join(tmpdir(), 'moloch-'))
const home = join(folder, 'chain')
const EVENTS = 3 * (10 + 11)

beforeAll(async () => {
  const open = () => Ledger.open({ path: home, genesis, log: silentLog, tuning: { segmentEvents: 12, stateWork: 40 } })
  const whole = await open()
  await applyAll(whole, chain.blocks)
  await whole.close()
  await forgetHistory(home, genesis, BASE)
  const ledger = await open()
  await ledger.history.put(24, blocks(24, 29))
  await ledger.history.put(10, blocks(10, 19))
  await ledger.history.certified(28)
  await ledger.close()
  return () => rmSync(folder, { recursive: true })
})

function blocks(from: number, to: number): CheckedBlock[] {
  return chain.frames.slice(from - 1, to).map((frame) => {
    const result = checkHistory(genesis, frame)
    if (!result.ok) throw new Error(result.failure.message)
    return result.block
  })
}

test('a database with gaps in its history passes, with progress up to its tip', async () => {
  const progress: number[] = []
  const report = await verifyHome({ path: home, genesis, onProgress: ({ height }) => progress.push(height) })
  expect(report).toEqual({ height: TIP, events: EVENTS, fault: undefined })
  expect(progress.at(-1)).toBe(TIP)
})

test('a commit that is not verified yet may be bad, one that is served may not', async () => {
  expect(await damaged(flip(heightKey(TABLE.BLOCK, 26), -1))).toBeUndefined()
  expect(await damaged(flip(heightKey(TABLE.BLOCK, 28), -1))).toMatch(/^block 28: COMMIT_BAD_SIGNATURE: /)
})

const history = bytesKey(TABLE.META, utf8('history'))

/** Damage, and how the fault's line begins. */
const damages: [what: string, damage: (level: Level) => Promise<void>, fault: RegExp][] = [
  ['an event of history', flip(heightKey(TABLE.BLOCK, 12), -700), /^block 12: (BAD_EVENTS_ROOT|NON_CANONICAL): /],
  ['a block of history that is gone', remove(heightKey(TABLE.BLOCK, 12)), /^there are 13 blocks of history, not 14$/],
  [
    'a block of history that nobody knows of',
    copy(heightKey(TABLE.BLOCK, 12), heightKey(TABLE.BLOCK, 22)),
    /^block 22: BAD_HEIGHT/
  ],
  [
    'a height that is not among the held',
    put(history, Buffer.concat([BASE, 10, 18, 24, 27].map(heightBytes))),
    /^block 19: it is not among/
  ],
  ['a block that is served and gone', remove(heightKey(TABLE.BLOCK, 29)), /^block 29 is missing$/],
  ['the tip that is gone', remove(heightKey(TABLE.BLOCK, TIP)), /^block 34 is missing$/],
  ['a block above the tip', copy(heightKey(TABLE.BLOCK, 31), heightKey(TABLE.BLOCK, 35)), /^block 35 is above the tip/],
  ['a hash between the held', flip(heightKey(TABLE.MMR, 5), 3), /^block 10: BAD_MMR_ROOT: |^block 5: wrong MMR nodes$/],
  ['an inner node of the MMR', flip(heightKey(TABLE.MMR, 7), 40), /^block 7: wrong MMR nodes$/],
  ['a leaf that is gone', remove(heightKey(TABLE.MMR, 3)), /^block 3: wrong MMR nodes$/],
  ['block 0', flip(heightKey(TABLE.MMR, 0), 3), /^block 0: wrong MMR nodes$/],
  ['a leaf too many', copy(heightKey(TABLE.MMR, 8), heightKey(TABLE.MMR, 36)), /^there are 36 MMR leaves/],
  ['an event id of history', flip(heightKey(TABLE.EVENT_IDS, 12), 20), /^block 12: wrong row of event ids$/],
  [
    'event ids in a gap',
    copy(heightKey(TABLE.EVENT_IDS, 12), heightKey(TABLE.EVENT_IDS, 22)),
    /^there are 22 rows of event ids/
  ],
  ['a block hash', removeFirst(TABLE.HASH), /^block \d+: its hash leads to nothing$/],
  [
    'a row of the event index',
    flipFirst(TABLE.SEGMENT, 2),
    /^block \d+: wrong event index \(row \d+ of its segment\)$/
  ],
  ['an entry of the state', flipFirst(TABLE.STATE, 65), /^state at block 29: wrong hash of bucket /],
  ['a key of the state', flipFirst(TABLE.STATE_KEY, 0), /^state at block 29: wrong entry [0-9a-f]{64} of index 0$/],
  [
    'a key too many',
    put(bytesKey(TABLE.STATE_KEY, Uint8Array.of(2), new Uint8Array(32).fill(255)), utf8('x')),
    /^state at block 29: index 2 has a key without/
  ],
  ['the tip’s hash', flip(bytesKey(TABLE.META, utf8('tip')), 20), /^the tip is not block 34$/]
]

test.each(damages)('%s', async (_, damage, fault) => {
  const said = await damaged(damage)
  expect(said).toMatch(fault)
  expect(said).not.toContain('\n')
})

test('a state that is whole in itself, and not the chain’s', async () => {
  const other = join(tempDir(), 'chain')
  const ledger = await Ledger.open({ path: other, genesis, log: silentLog, tuning: { stateWork: 40 } })
  await applyAll(ledger, chain.blocks.slice(0, 19))
  await ledger.close()
  const swap = async (level: Level): Promise<void> => {
    const source: Level = new ClassicLevel(other, { keyEncoding: 'view', valueEncoding: 'view' })
    for (const table of [TABLE.STATE, TABLE.STATE_KEY] as const) {
      for (const key of await level.keys(rangeOf(table)).all()) await level.del(key)
      for (const [key, value] of await source.iterator(rangeOf(table)).all()) await level.put(key, value)
    }
    await source.close()
  }
  expect(await damaged(swap)).toMatch(/^block 30: BAD_STATE_ROOT: /)
})

async function damaged(damage: (level: Level) => Promise<void>): Promise<string | undefined> {
  const path = join(tempDir(), 'home')
  cpSync(home, path, { recursive: true })
  const level: Level = new ClassicLevel(path, { keyEncoding: 'view', valueEncoding: 'view' })
  await level.open()
  await damage(level)
  await level.close()
  return (await verifyHome({ path, genesis })).fault
}

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
