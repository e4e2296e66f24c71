import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Ledger } from '../../src/ledger/ledger.ts'
import { silentLog } from '../../src/log.ts'
import { HeadView } from '../../src/node/head-view.ts'
import { ServedChain } from '../../src/node/served-chain.ts'
import { applyAll } from '../support/chain-builder.ts'
import { chainInMemory } from '../support/chain-maker.ts'
import { Histories, NO_HEAD } from '../support/histories.ts'
import { tempDir } from '../support/temp-dir.ts'

const { genesis, blocks } = chainInMemory(9, { eventsPerBlock: 3, params: { snapshotInterval: 4 } })
const votes = { votes: [], proposals: [] }
const ports = { syncing: () => false, readVotes: async () => votes as never }

async function ledger(): Promise<Ledger> {
  const path = tempDir()
  const ledger = await Ledger.open({
    path: join(path, 'chain'),
    genesis,
    log: silentLog,
    tuning: { stateWork: 12 },
    snapshots: { folder: join(path, 'snapshots'), keep: 2 }
  })
  onTestFinished(() => ledger.close())
  for (const block of blocks) {
    await applyAll(ledger, [block])
    if (block.height % 4 === 0) await ledger.snapshots?.build()
  }
  return ledger
}

async function all(frames: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const found: Uint8Array[] = []
  for await (const frame of frames) found.push(frame)
  return found
}

const header = { header: { height: 3, anchorHeight: 9 } }

test('before there is a chain peers get block 0, empty runs, and that it is not ready', async () => {
  const served = new ServedChain(genesis, true, ports)
  expect(served.head()).toMatchObject({ height: 0, earliestHeight: 1, syncing: true })
  expect(await all(served.readBlocks(1, 5, 1 << 20))).toEqual([])
  expect(await all(served.proving.readHeaders(1, 5))).toEqual([])
  for (const asked of [
    served.readVotes({} as never),
    served.proving.readPeaks(3),
    served.proving.prove(header),
    served.proving.prove({ history: history() })
  ]) {
    await expect(asked).rejects.toMatchObject({ code: 'NOT_READY' })
  }
  expect(served.snapshots?.held(0)).toBeUndefined()
  expect(await served.snapshots?.readManifest(8, undefined as never)).toBeUndefined()
  expect(await served.snapshots?.readChunk(8, 0)).toBeUndefined()
})

test('from then on they get what the ledger has', async () => {
  const served = new ServedChain(genesis, true, ports)
  const chain = await ledger()
  served.open(chain, await HeadView.open(chain))
  expect(served.head()).toMatchObject({ height: 9, earliestHeight: 1, syncing: false })
  expect(await all(served.readBlocks(8, 5, 1 << 20))).toHaveLength(2)
  expect(await all(served.proving.readHeaders(7, 5))).toHaveLength(3)
  expect(await served.proving.readPeaks(8)).toHaveLength(1)
  expect(await served.readVotes({} as never)).toBe(votes)
  expect((await served.proving.prove(header)).header?.header?.height).toBe(3)
  expect(served.snapshots?.held(0)?.manifest.height).toBe(8)
  expect(await served.snapshots?.readChunk(8, 0)).toBeDefined()
})

test('a node that builds no snapshots does not offer any', () => {
  expect(new ServedChain(genesis, false, ports).snapshots).toBeUndefined()
})

test('what is read for a history is told of, so that the peer is charged for it', async () => {
  const served = new ServedChain(genesis, true, ports)
  const chain = await ledger()
  served.open(chain, await HeadView.open(chain))
  const read: number[] = []
  const { history: proof } = await served.proving.prove({ history: history() }, (bytes) => read.push(bytes))
  expect(proof?.anchorHeight).toBe(8)
  expect(read).toEqual([expect.any(Number)])
  // More than the proof has: rows were read for it.
  expect(read[0]).toBeGreaterThan(1000)
  // Also when it comes to nothing.
  const gone = served.proving.prove(
    { history: { ...history(), beforeCount: 1000, beforeHead: new Uint8Array(32), anchorHeight: 8 } },
    (bytes) => read.push(bytes)
  )
  await expect(gone).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  expect(read).toHaveLength(2)
})

function history() {
  const [key] = new Histories(blocks).keys(9)
  if (key === undefined) throw new Error('a chain without events')
  return {
    index: key.index,
    key: key.key as Uint8Array<ArrayBuffer>,
    anchorHeight: 0,
    beforeCount: 0,
    beforeHead: NO_HEAD
  }
}
