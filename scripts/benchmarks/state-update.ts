import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FoldedBlock } from '../../src/chain/state.ts'
import { toHex } from '../../src/codec/bytes.ts'
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

interface Figures {
  /** CPU time of all threads, LevelDB's too: other work on the machine is not in it. */
  readonly msABlock: number
  /** The same by how many keys changed between two writes. */
  readonly usAKey: number
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
    const list = Array.from({ length: BLOCKS }, () => blocks.random(known))
    const before = process.cpuUsage()
    let touched = 0
    for (const [i, block] of list.entries()) {
      if (i % WRITE_EVERY === 0) touched += distinctKeys(list.slice(i, i + WRITE_EVERY))
      await state.fold(block)
      if ((i + 1) % ROOT_EVERY === 0) await state.root(genesis.validators.hash)
      if ((i + 1) % WRITE_EVERY === 0) await write()
    }
    await database.close()
    const { user, system } = process.cpuUsage(before)
    return { msABlock: (user + system) / 1000 / BLOCKS, usAKey: (user + system) / touched, openSeconds }
  } finally {
    rmSync(path, { recursive: true, force: true })
  }
}

function distinctKeys(blocks: readonly FoldedBlock[]): number {
  const keys = new Set<string>()
  for (const { keyHashes } of blocks) {
    for (let at = 0; at < keyHashes.byteLength; at += 32) keys.add(toHex(keyHashes.subarray(at, at + 8)))
  }
  return keys.size
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
          `${name}: ${one.msABlock.toFixed(2)} ms CPU a block, ${one.usAKey.toFixed(1)} µs a key, opened in ${one.openSeconds.toFixed(2)} s`
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
          'µs a key': rounded(median(figures.map(({ usAKey }) => usAKey))),
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
