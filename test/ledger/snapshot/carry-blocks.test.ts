import { spawn } from 'node:child_process'
import { cpSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { type CheckedBlock, checkHistory } from '../../../src/chain/check-block.ts'
import { carryBlocks } from '../../../src/ledger/snapshot/carry-blocks.ts'
import { switchDatabase } from '../../../src/ledger/snapshot/switch-database.ts'
import { verifyHome } from '../../../src/ledger/verify/verify.ts'
import { applyAll } from '../../support/chain-builder.ts'
import { ChainMaker, chainInMemory, type MemoryChain } from '../../support/chain-maker.ts'
import { Random } from '../../support/random.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { contentHash, forgetHistory } from '../../support/warped.ts'
import {
  EVENTS,
  expectFindable,
  folders,
  imported,
  large,
  OLD_TIP,
  oldDatabase,
  opened,
  SNAPSHOT,
  spec,
  withStores
} from '../support/carry-world.ts'
import { snapshotSource } from '../support/snapshot-source.ts'

const CHILD = fileURLToPath(new URL('../support/carry-child.mjs', import.meta.url))
const ROUNDS = Math.max(1, Math.round(3 * Number(process.env.MOLOCH_RUNS ?? 1)))

const history = (chain: MemoryChain, from: number, to: number): CheckedBlock[] =>
  chain.frames.slice(from - 1, to).map((frame) => {
    const result = checkHistory(chain.genesis, frame)
    if (!result.ok) throw new Error(result.failure.message)
    return result.block
  })

test.each([
  { name: 'from genesis on', base: undefined, pieces: [], held: [{ from: 1, to: OLD_TIP }] },
  {
    name: 'of a node that warped before',
    base: 12,
    pieces: [{ from: 2, to: 6 }],
    held: [
      { from: 2, to: 6 },
      { from: 12, to: OLD_TIP }
    ]
  }
])('the blocks that are here, $name, are not fetched again', async ({ base, pieces, held }) => {
  const chain = chainInMemory(SNAPSHOT + 3, spec)
  const source = await snapshotSource(SNAPSHOT, chain)
  const path = await oldDatabase(chain)
  if (base !== undefined) await forgetHistory(path, chain.genesis, base)
  const before = await opened(path, chain)
  for (const { from, to } of pieces) await before.history.put(from, history(chain, from, to))
  await before.close()
  await imported(source, path)
  const lines: string[] = []
  const report = (line: string) => lines.push(line)
  expect(await switchDatabase(path, chain.genesis, { report })).toEqual({ switched: true, height: SNAPSHOT })
  expect(folders(path)).toEqual(['chain'])
  const count = held.reduce((sum, { from, to }) => sum + to - from + 1, 0)
  expect(lines).toEqual([`${count} blocks of the chain that was here are carried over`])
  expect((await verifyHome({ path, genesis: chain.genesis })).fault).toBeUndefined()
  let ledger = await opened(path, chain)
  expect(ledger.earliestHeight).toBe(SNAPSHOT)
  expect(ledger.history.held).toEqual(held)
  const isHeld = (height: number) => ledger.history.missing(height, height).length === 0
  await expectFindable(ledger, chain, isHeld)
  expect((await ledger.blockAt(OLD_TIP))?.hash).toEqual(chain.blocks[OLD_TIP - 1]?.hash)
  await applyAll(ledger, chain.blocks.slice(SNAPSHOT))
  for (const gap of ledger.history.missing(1, SNAPSHOT)) {
    await ledger.history.put(gap.from, history(chain, gap.from, gap.to))
  }
  await ledger.history.certified(1)
  await ledger.history.finish()
  await ledger.close()
  expect(await verifyHome({ path, genesis: chain.genesis })).toMatchObject({ height: SNAPSHOT + 3, fault: undefined })
  ledger = await opened(path, chain)
  await expectFindable(ledger, chain, () => true)
  await ledger.close()
  const synced = await oldDatabase(chain, SNAPSHOT + 3)
  expect(await contentHash(path, chain.genesis)).toBe(await contentHash(synced, chain.genesis))
})

test('called off after any batch, what is there is whole and not copied again', async () => {
  const chain = chainInMemory(SNAPSHOT, large)
  const source = await snapshotSource(SNAPSHOT, chain)
  const path = await oldDatabase(chain)
  await imported(source, path)
  const fresh = `${path}.new`
  const { genesis } = chain
  let batches = 0
  for (let done = 0; done < OLD_TIP; ) {
    const stop = new AbortController()
    const onProgress = (now: number, total: number) => {
      expect(total).toBe(OLD_TIP)
      expect(now).toBeGreaterThan(done)
      done = now
      batches++
      stop.abort(new Error('enough'))
    }
    const carried = withStores(path, chain, (from) =>
      withStores(fresh, chain, (to) => carryBlocks(from, to, { genesis, signal: stop.signal, onProgress }))
    )
    await expect(carried).rejects.toThrow('enough')
    expect((await verifyHome({ path: fresh, genesis })).fault).toBeUndefined()
    expect(await withStores(fresh, chain, ({ meta }) => meta.history())).toEqual({
      base: SNAPSHOT,
      held: [{ from: 1, to: done }]
    })
  }
  expect(batches).toBeGreaterThan(4)
  await expect(switchDatabase(path, genesis, { signal: AbortSignal.abort() })).rejects.toThrow()
  expect(folders(path)).toEqual(['chain', 'chain.new'])
  expect(await switchDatabase(path, genesis)).toEqual({ switched: true, height: SNAPSHOT })
  expect((await verifyHome({ path, genesis })).fault).toBeUndefined()
  expect((await opened(path, chain)).history.held).toEqual([{ from: 1, to: OLD_TIP }])
})

/** Puts the imported database in place in a process of its own, which is killed after a batch. @returns how it ended */
function switchAndKill(...args: (string | number)[]): Promise<NodeJS.Signals | null> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [CHILD, ...args.map(String)], { stdio: 'inherit' })
    child.on('error', reject)
    child.on('close', (_, signal) => resolve(signal))
  })
}

test('killed at any moment it ends as if it had not been', async () => {
  const chain = chainInMemory(SNAPSHOT, large)
  const source = await snapshotSource(SNAPSHOT, chain)
  const { genesis } = chain
  const from = await oldDatabase(chain)
  await imported(source, from)
  const random = new Random(Number(process.env.MOLOCH_SEED ?? 1))
  const genesisFile = join(tempDir(), 'genesis.json')
  writeFileSync(genesisFile, genesis.json)
  for (let round = 0; round < ROUNDS; round++) {
    const data = join(tempDir(), 'data')
    cpSync(dirname(from), data, { recursive: true })
    const path = join(data, 'chain')
    // Each goes on where the one before was killed, and is after three batches at the latest, of some seven.
    for (let kills = 0; kills < 2; kills++) {
      const [batch, ms] = [random.below(3), random.below(15)]
      expect(await switchAndKill(path, genesisFile, batch, ms), `after ${batch} batches and ${ms} ms`).toBe('SIGKILL')
    }
    await switchDatabase(path, genesis)
    expect(folders(path)).toEqual(['chain'])
    expect((await verifyHome({ path, genesis })).fault).toBeUndefined()
    const ledger = await opened(path, chain)
    expect(ledger.tip.height).toBe(SNAPSHOT)
    expect(ledger.history.held).toEqual([{ from: 1, to: OLD_TIP }])
    await ledger.close()
  }
})

test('a chain of another genesis is named, and nothing is mixed or removed', async () => {
  const source = await snapshotSource(SNAPSHOT)
  const mine = chainInMemory(3, { seed: 5, eventsPerBlock: EVENTS })
  const path = await oldDatabase(mine, 3)
  await imported(source, path)
  await expect(switchDatabase(path, source.chain.genesis)).rejects.toMatchObject({
    code: 'STORE_OTHER_CHAIN',
    message: expect.stringContaining(`the database in ${path} is of genesis`)
  })
  expect(folders(path)).toEqual(['chain', 'chain.new'])
})

test('of another chain of the same genesis it is said what to do, and done there is none', async () => {
  const source = await snapshotSource(SNAPSHOT)
  const { chain } = source
  const path = join(tempDir(), 'chain')
  const other = await opened(path, chain)
  const maker = new ChainMaker(chain.maker.spec)
  await applyAll(other, [maker.next([]), maker.next([])])
  await other.close()
  await imported(source, path)
  await expect(switchDatabase(path, chain.genesis)).rejects.toMatchObject({
    code: 'CONFLICTING_FINALITY',
    message: expect.stringMatching(`the chain that is here stays; remove ${path} to begin at the snapshot$`)
  })
  expect(await switchDatabase(path, chain.genesis)).toEqual({ switched: false })
  expect((await opened(path, chain)).tip.height).toBe(2)
})

test('after a crash between the renames everything is taken over again', async () => {
  const source = await snapshotSource(SNAPSHOT)
  const { chain } = source
  const path = await oldDatabase(chain)
  const ledger = await opened(path, chain)
  const event = new ChainMaker({ seed: 99 }).event()
  await ledger.saveMempool([event])
  await ledger.close()
  cpSync(path, `${path}.old`, { recursive: true })
  rmSync(path, { recursive: true })
  // Of an import since then, that knows nothing of what was here.
  await imported(source, path)
  expect(await switchDatabase(path, chain.genesis)).toMatchObject({ switched: true })
  expect(folders(path)).toEqual(['chain'])
  const now = await opened(path, chain)
  expect((await now.loadMempool()).map(({ id }) => id)).toEqual([event.id])
  expect(now.history.held).toEqual([{ from: 1, to: OLD_TIP }])
})
