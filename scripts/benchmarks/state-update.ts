import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import type { FoldedBlock } from '../../src/chain/state.ts'
import { MAX_CHANGED_BUCKETS, StateTries } from '../../src/ledger/state.ts'
import { Database } from '../../src/store/database.ts'
import { StateStore } from '../../src/store/state-store.ts'
import type { Benchmark } from './bench.ts'
import { median, type Row, rounded, rowOf } from './rows.ts'
import { EVENTS_A_BLOCK, genesis, StateBlocks } from './state-blocks.ts'

const BLOCKS = 1000
/** As a ledger does it with blocks of this size: a root at each snapshot height, a write at every fifth. */
const ROOT_EVERY = 100
const WRITE_EVERY = 500

/** The smallest state has no more: in all of them as many keys are touched between two writes. */
const TOUCHED = 1000

/** Then some blocks with a root each, so that none gains by the keys that it has in common with others. */
const BLOCKS_ROOTED = 500
/** Then some that are hashed and written one by one, so that each pays for every key it touches. */
const BLOCKS_ALONE = 200

/** CPU ms a block of all threads, LevelDB's too: other work on the machine is not in it. */
interface Figures {
  /** Blocks between two writes are on a thousand resources, drawn anew from all that are known after each write. */
  readonly anew: number
  /** Each event is on any of the known resources. */
  readonly others: number
  /** All are on the same hundred. */
  readonly same: number
  readonly rooted: number
  readonly alone: number
  readonly openSeconds: number
}

/** State of `known` resources and what a block on them costs: folded, hashed and written. */
async function measure(known: number): Promise<Figures> {
  const path = mkdtempSync(join(tmpdir(), 'moloch-state-'))
  try {
    const blocks = new StateBlocks()
    let database = await Database.open(path, { genesisHash: genesis.hash, create: true })
    let store = new StateStore(database)
    let state = await StateTries.open(database, store, 0)
    const write = async (): Promise<void> => {
      const batch = database.batch()
      await state.flush(batch)
      await database.write(batch)
      state.written()
    }
    for (let at = 0; at < known; at += EVENTS_A_BLOCK) {
      await state.fold(blocks.of(Array.from({ length: Math.min(EVENTS_A_BLOCK, known - at) }, (_, i) => at + i)))
      if (state.changed > MAX_CHANGED_BUCKETS) await write()
    }
    await write()
    const { eventTotal } = state
    await database.close()
    await merge(path)
    database = await Database.open(path, { genesisHash: genesis.hash, create: false })
    store = new StateStore(database)
    const opened = performance.now()
    state = await StateTries.open(database, store, eventTotal)
    await state.root(genesis.validators.hash)
    const openSeconds = (performance.now() - opened) / 1000
    const random = () => blocks.random(known)
    const run = async (count: number, rootEvery: number, writeEvery: number, next: () => FoldedBlock) => {
      const list = Array.from({ length: count }, next)
      const before = process.cpuUsage()
      for (const [i, block] of list.entries()) {
        await state.fold(block)
        if ((i + 1) % rootEvery === 0) await state.root(genesis.validators.hash)
        if ((i + 1) % writeEvery === 0 || state.changed > MAX_CHANGED_BUCKETS) await write()
      }
      const { user, system } = process.cpuUsage(before)
      return (user + system) / 1000 / count
    }
    let drawn: number[] = []
    let block = 0
    const fromDrawn = () => {
      if (block++ % WRITE_EVERY === 0) drawn = blocks.draw(TOUCHED, known)
      return blocks.of(blocks.draw(EVENTS_A_BLOCK, TOUCHED).map((i) => drawn[i] as number))
    }
    const anew = await run(BLOCKS, ROOT_EVERY, WRITE_EVERY, fromDrawn)
    const others = await run(BLOCKS, ROOT_EVERY, WRITE_EVERY, random)
    const hundred = Array.from({ length: EVENTS_A_BLOCK }, (_, i) => Math.floor((i * known) / EVENTS_A_BLOCK))
    const same = await run(BLOCKS, ROOT_EVERY, WRITE_EVERY, () => blocks.of(hundred))
    const rooted = await run(BLOCKS_ROOTED, 1, WRITE_EVERY, random)
    const alone = await run(BLOCKS_ALONE, 1, 1, random)
    await database.close()
    return { anew, others, same, rooted, alone, openSeconds }
  } finally {
    rmSync(path, { recursive: true, force: true })
  }
}

/** What making the state left LevelDB to merge is not the cost of the blocks that come after. */
async function merge(path: string): Promise<void> {
  const level = new ClassicLevel<Uint8Array, Uint8Array>(path, { keyEncoding: 'view', maxFileSize: 1 << 20 })
  await level.open()
  await level.compactRange(new Uint8Array(0), new Uint8Array(64).fill(0xff), { keyEncoding: 'view' })
  await level.close()
}

function stateUpdate(suffix: string, known: number): Benchmark {
  const name = `state.update.${suffix}`
  return {
    name,
    summary: `the state's cost of a block of ${EVENTS_A_BLOCK} events on ${known} known keys, CPU ms`,
    async run({ runs, say }): Promise<Row> {
      const figures: Figures[] = []
      for (let i = 0; i < runs; i++) {
        const one = await measure(known)
        figures.push(one)
        const ms = Object.entries(one).map(([what, value]) => `${what} ${value.toFixed(2)}`)
        say(`${name}: CPU ms a block: ${ms.join(', ')}`)
      }
      const each = (pick: (one: Figures) => number): number => rounded(median(figures.map(pick)))
      return rowOf(
        name,
        figures.map(({ anew }) => anew),
        'CPU ms',
        {
          'known keys': known,
          events: EVENTS_A_BLOCK,
          'root every': ROOT_EVERY,
          'written every': WRITE_EVERY,
          'keys between two writes': TOUCHED,
          'each event on any key': each(({ others }) => others),
          'on the same keys': each(({ same }) => same),
          'with a root each': each(({ rooted }) => rooted),
          'each written alone': each(({ alone }) => alone),
          'opened in s': each(({ openSeconds }) => openSeconds)
        }
      )
    }
  }
}

export const stateUpdates: readonly Benchmark[] = [
  stateUpdate('1k', 1000),
  stateUpdate('100k', 100_000),
  stateUpdate('1m', 1_000_000)
]
