import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { checkpointText } from '../../../src/chain/checkpoint.ts'
import { switchDatabase } from '../../../src/ledger/snapshot/switch-database.ts'
import { chainRows, snapshotSource } from '../../ledger/support/snapshot-source.ts'
import { ChainMaker, chainInMemory } from '../../support/chain-maker.ts'
import { Random } from '../../support/random.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { server } from './support/world.ts'

const CHILD = fileURLToPath(new URL('support/warp-child.mjs', import.meta.url))
const seed = Number(process.env.MOLOCH_SEED ?? 1)
const KILLS = Math.max(1, Math.round(5 * Number(process.env.MOLOCH_RUNS ?? 1)))
const HEIGHT = 20

/** Runs the child; kills it `ms` after it was ready to ask. Its lines, and whether it came to its end. */
function runFor(args: string[], ms: number): Promise<{ lines: string[]; ended: boolean }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [CHILD, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
    const lines: string[] = []
    let timer: NodeJS.Timeout | undefined
    createInterface(child.stdout).on('line', (line) => {
      lines.push(line)
      if (line.startsWith('ask')) timer ??= setTimeout(() => child.kill('SIGKILL'), ms)
    })
    child.on('error', reject)
    child.on('close', () => {
      clearTimeout(timer)
      resolve({ lines, ended: lines.some((line) => line.startsWith('end')) })
    })
  })
}

/** Chunks whose bit is set in the folder. */
function storedIn(folder: string): number[] {
  const path = join(folder, 'stored')
  if (!existsSync(path)) return []
  const bits = readFileSync(path)
  return Array.from({ length: 8 * bits.byteLength }, (_, chunk) => chunk).filter(
    (chunk) => ((bits[chunk >>> 3] as number) & (1 << (chunk & 7))) !== 0
  )
}

test('killed at any moment it resumes, fetches no stored chunk again, and ends as one who synced from genesis', async () => {
  // Large resource names make many chunks.
  const params = { snapshotInterval: 5, maxBlockBytes: 2 << 20, maxEventBytes: 4096 }
  const maker = new ChainMaker({ eventsPerBlock: 1, resources: 1e6, actors: 4, params })
  const blocks = Array.from({ length: HEIGHT }, (_, i) => maker.next(maker.events(i > 14 && i < 19 ? 4000 : 1)))
  const source = await snapshotSource(HEIGHT, { ...chainInMemory(0), maker, genesis: maker.genesis, blocks }, 16_000)
  const { genesis } = source.chain
  const chunks = source.manifest.chunks.length
  expect(chunks).toBeGreaterThan(6)
  // A chunk takes a few milliseconds, so that there are moments between them.
  const paced = {
    readChunk: async (height: number, chunk: number) => {
      await new Promise((resolve) => setTimeout(resolve, 25))
      return source.snapshots.readChunk(height, chunk)
    }
  }
  const servers = await Promise.all([server(source, paced), server(source, paced)])
  await source.ledger.close()
  const expected = await chainRows(source.path, genesis, HEIGHT)
  const dir = tempDir()
  const file = join(dir, 'genesis.json')
  writeFileSync(file, genesis.json)
  const checkpoint = checkpointText({ height: HEIGHT, hash: source.manifest.header.hash })
  const random = new Random(seed)
  let kills = 0
  let home = ''
  let wasStored: number[] = []
  while (kills < KILLS) {
    if (home === '' || existsSync(join(home, 'chain'))) {
      home = join(dir, `home-${kills}`)
      mkdirSync(home)
      wasStored = []
    }
    const folder = join(home, 'warp')
    const args = [home, file, checkpoint, ...servers.map(({ address }) => address)]
    const { lines, ended } = await runFor(args, random.below(400))
    expect(lines.filter((line) => line.startsWith('penalise'))).toEqual([])
    const asked = lines.flatMap((line) => (line.startsWith('ask ') ? [Number(line.slice(4))] : []))
    expect(asked.filter((chunk) => wasStored.includes(chunk))).toEqual([])
    kills++
    wasStored = storedIn(folder)
    if (!ended) continue
    expect(await chainRows(join(home, 'chain'), genesis, HEIGHT)).toEqual(expected)
  }
  // The last one to its end; nothing is left beside it.
  const { lines } = await runFor([home, file, checkpoint, ...servers.map(({ address }) => address)], 60_000)
  expect(lines.at(-1)).toMatch(/^end (warped|none)$/)
  await switchDatabase(join(home, 'chain'), genesis)
  expect(readdirSync(home)).toEqual(['chain'])
  expect(await chainRows(join(home, 'chain'), genesis, HEIGHT)).toEqual(expected)
})
