import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Benchmark } from './bench.ts'
import { tempFolder } from './cleanup.ts'
import { Side } from './processes.ts'
import { median, type Row, rounded, rowOf } from './rows.ts'
import type { Built } from './snapshot-side.ts'

/** Blocks of a million keys are 5000 events each. */
const HEIGHT = 200
/** The bound for a server that builds a snapshot of 10⁶ keys. */
const MAX_RSS_MB = 300

/** A block a minute: nearly all events are older than the event window. */
const OLD_MS = 60_000
/** A block a second: all are in it. */
const RECENT_MS = 1000

async function inSide<Result>(name: string, ...args: unknown[]): Promise<Result> {
  const side = new Side('snapshot-side.js')
  try {
    return await side.call<Result>(name, ...args)
  } finally {
    await side.stop()
  }
}

function snapshotBuild(suffix: string, keys: number, intervalMs = OLD_MS): Benchmark {
  const name = `snapshot.build.${suffix}`
  return {
    name,
    summary: `time of building a snapshot of ${keys} keys${intervalMs === RECENT_MS ? ', all events within the window' : ''}, s`,
    async run({ runs, say }): Promise<Row> {
      const { folder, remove } = tempFolder()
      try {
        await inSide('make', folder, keys, HEIGHT, intervalMs)
        const figures: Built[] = []
        for (let i = 0; i < runs; i++) {
          rmSync(join(folder, 'snapshots'), { recursive: true })
          const one = await inSide<Built>('build', folder, HEIGHT, intervalMs)
          figures.push(one)
          say(`${name}: ${one.seconds.toFixed(2)} s, RSS peak ${(one.peakRss / 1e6).toFixed(0)} MB`)
        }
        const each = (pick: (built: Built) => number): number => rounded(median(figures.map(pick)))
        return rowOf(
          name,
          figures.map(({ seconds }) => seconds),
          's',
          {
            keys,
            blocks: HEIGHT,
            chunks: each(({ chunks }) => chunks),
            'file MB': each(({ bytes }) => bytes / 1e6),
            'RSS peak MB': each(({ peakRss }) => peakRss / 1e6),
            'RSS before MB': each(({ rssBefore }) => rssBefore / 1e6),
            'RSS bound MB': MAX_RSS_MB,
            'loop delay max ms': each(({ loopDelayMax }) => loopDelayMax),
            'opened in s': each(({ openSeconds }) => openSeconds)
          }
        )
      } finally {
        remove()
      }
    }
  }
}

export const snapshotBuilds: readonly Benchmark[] = [
  snapshotBuild('1k', 1000),
  snapshotBuild('100k', 100_000),
  snapshotBuild('1m', 1_000_000),
  snapshotBuild('1m.recent', 1_000_000, RECENT_MS)
]
