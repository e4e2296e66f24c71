import { expect, onTestFinished, test } from 'vitest'
import { Ledger } from '../../src/ledger/ledger.ts'
import { silentLog } from '../../src/log.ts'
import { applyAll } from '../support/chain-builder.ts'
import { chainInMemory } from '../support/chain-maker.ts'
import { tempDir } from '../support/temp-dir.ts'

async function openChain(blocks: number, spec = {}) {
  const chain = chainInMemory(blocks, { eventsPerBlock: 2, ...spec })
  const ledger = await Ledger.open({ path: tempDir(), genesis: chain.genesis, log: silentLog })
  onTestFinished(() => ledger.close())
  await applyAll(ledger, chain.blocks)
  const read = async (start: number, count: number, maxBytes: number) => {
    const got: Uint8Array[] = []
    for await (const bytes of ledger.readRange(start, count, maxBytes)) got.push(bytes)
    return got
  }
  return { ...chain, ledger, read }
}

test('ranges are the stored bytes, within count and bytes', async () => {
  const { frames, read } = await openChain(10)
  expect(await read(1, 512, Infinity)).toEqual(frames)
  expect(await read(4, 3, Infinity)).toEqual(frames.slice(3, 6))
  expect(await read(9, 512, Infinity)).toEqual(frames.slice(8))
  expect(await read(11, 5, Infinity)).toEqual([])
  const two = (frames[0]?.byteLength ?? 0) + (frames[1]?.byteLength ?? 0)
  expect(await read(1, 10, two)).toEqual(frames.slice(0, 2))
  expect(await read(1, 10, two - 1)).toEqual(frames.slice(0, 1))
  // One block at least: or a block larger than the budget could never be had.
  expect(await read(3, 10, 1)).toEqual(frames.slice(2, 3))
})

test('a reader that stops leaves nothing open', async () => {
  const { ledger } = await openChain(10)
  for await (const _ of ledger.readRange(1, 10, Infinity)) break
  await ledger.close()
})

test('a slow reader holds a bounded number of bytes', async () => {
  const { ledger } = await openChain(60, { eventsPerBlock: 10, eventBytes: 10_000 })
  const before = process.memoryUsage().arrayBuffers
  const reader = ledger.readRange(1, 60, Infinity)
  await reader.next()
  await reader.next()
  // 60 blocks are 6 MB.
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000_000)
  await reader.return(undefined)
})
