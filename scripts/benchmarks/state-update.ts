import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { StateTries } from '../../src/ledger/state.ts'
import { Database } from '../../src/store/database.ts'
import { StateStore } from '../../src/store/state-store.ts'
import type { Benchmark } from './bench.ts'
import { median, type Row, rounded, rowOf } from './rows.ts'
import { EVENTS_A_BLOCK, genesis, StateBlocks } from './state-blocks.ts'

const BLOCKS = 1000
/** As a ledger does it with blocks of this size: a root at each snapshot height, a write at every fifth. */
const ROOT_EVERY = 100
const WRITE_EVERY = 500

/** Then some blocks that are hashed and written one by one, so that each pays for every key it touches. */
const BLOCKS_ALONE = 200

interface Figures {
  /** CPU time of all threads, LevelDB's too: other work on the machine is not in it. */
  readonly msABlock: number
  readonly msAlone: number
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
      if (state.changed > 20_000) await write()
    }
    await write()
    const { eventTotal } = state
    await database.close()
    database = await Database.open(path, { genesisHash: genesis.hash, create: false })
    store = new StateStore(database)
    const opened = performance.now()
    state = await StateTries.open(database, store, eventTotal)
    await state.root(genesis.validators.hash)
    const openSeconds = (performance.now() - opened) / 1000
    const run = async (count: number, rootEvery: number, writeEvery: number): Promise<number> => {
      const list = Array.from({ length: count }, () => blocks.random(known))
      const before = process.cpuUsage()
      for (const [i, block] of list.entries()) {
        await state.fold(block)
        if ((i + 1) % rootEvery === 0) await state.root(genesis.validators.hash)
        if ((i + 1) % writeEvery === 0) await write()
      }
      const { user, system } = process.cpuUsage(before)
      return (user + system) / 1000 / count
    }
    const msABlock = await run(BLOCKS, ROOT_EVERY, WRITE_EVERY)
    const msAlone = await run(BLOCKS_ALONE, 1, 1)
    await database.close()
    return { msABlock, msAlone, openSeconds }
  } finally {
    rmSync(path, { recursive: true, force: true })
  }
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
        say(
          `${name}: ${one.msABlock.toFixed(2)} ms CPU a block, ${one.msAlone.toFixed(2)} alone, opened in ${one.openSeconds.toFixed(2)} s`
        )
      }
      return rowOf(
        name,
        figures.map(({ msABlock }) => msABlock),
        'CPU ms',
        {
          'known keys': known,
          events: EVENTS_A_BLOCK,
          'root every': ROOT_EVERY,
          'written every': WRITE_EVERY,
          'each written alone': rounded(median(figures.map(({ msAlone }) => msAlone))),
          'opened in s': rounded(median(figures.map(({ openSeconds }) => openSeconds)))
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
