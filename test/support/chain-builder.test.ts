import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { checkFinalized } from '../../src/chain/check-block.ts'
import { parseGenesis } from '../../src/chain/genesis.ts'
import { toHex } from '../../src/codec/bytes.ts'
import { splitBlock } from '../../src/codec/raw.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { verifyHome } from '../../src/ledger/verify/verify.ts'
import { silentLog } from '../../src/log.ts'
import { buildChain, CHAIN_CACHE } from './chain-builder.ts'
import { ChainMaker, chainInMemory } from './chain-maker.ts'
import { tempDir } from './temp-dir.ts'

test('a chain is whole, has the keys and the size that were asked for, and is made once', async () => {
  // Of no other test or benchmark, so that it may be removed.
  const spec = { seed: process.pid + 1e6, blocks: 12, eventsPerBlock: 30, validators: 7, actors: 4, resources: 9 }
  const dir = tempDir()
  const before = new Set(existsSync(CHAIN_CACHE) ? readdirSync(CHAIN_CACHE) : [])
  const progress: number[] = []
  const chain = await buildChain({ ...spec, home: join(dir, 'a'), onProgress: (height) => progress.push(height) })
  const made = readdirSync(CHAIN_CACHE).filter((name) => !before.has(name) && !name.startsWith('draft'))
  onTestFinished(() => {
    for (const name of made) rmSync(join(CHAIN_CACHE, name), { recursive: true })
  })
  expect(progress.at(-1)).toBe(12)
  expect(chain.validators.length).toBe(7)
  expect(parseGenesis(readFileSync(join(chain.home, 'genesis.json'), 'utf8')).hash).toEqual(chain.genesis.hash)
  expect(await verifyHome(chain)).toEqual({ height: 12, events: 360, fault: undefined })

  const ledger = await Ledger.open({ ...chain, log: silentLog })
  const actors = new Set<string>()
  const resources = new Set<string>()
  for (let height = 1; height <= 12; height++) {
    const { events } = splitBlock((await ledger.blockAt(height))?.blockBytes as Uint8Array)
    for (const event of events) expect(Math.abs(event.byteLength - 228)).toBeLessThan(2)
  }
  for (const { publicKey } of chain.actors) {
    const { events } = await ledger.events({ actor: publicKey }, undefined, 1000)
    if (events.length > 0) actors.add(toHex(publicKey))
  }
  for (let i = 0; i < 9; i++) {
    const { events } = await ledger.events({ resource: { kind: 'document', id: `archive/${i}` } }, undefined, 1)
    if (events.length > 0) resources.add(String(i))
  }
  expect({ actors: actors.size, resources: resources.size }).toEqual({ actors: 4, resources: 9 })
  const { hash } = ledger.tip
  await ledger.close()

  // The second time it is a copy; what is done to the first does not show.
  progress.length = 0
  const again = await buildChain({ ...spec, home: join(dir, 'b'), onProgress: (height) => progress.push(height) })
  expect(progress).toEqual([])
  const copy = await Ledger.open({ ...again, log: silentLog })
  expect(toHex(copy.tip.hash)).toBe(toHex(hash))
  await copy.close()
})

test('the same seed gives the same bytes, another one another chain', () => {
  const spec = { eventsPerBlock: 3 }
  const first = chainInMemory(5, spec)
  expect(chainInMemory(5, spec).frames).toEqual(first.frames)
  expect(toHex(chainInMemory(1, { ...spec, seed: 2 }).genesis.hash)).not.toBe(toHex(first.genesis.hash))
  for (const frame of first.frames) {
    const result = checkFinalized(first.genesis, frame, { verifyEvents: true })
    expect(result.ok && result.block.deferred).toBeUndefined()
  }
})

test.each([200, 228, 300, 5000])('events of about %i bytes', (eventBytes) => {
  const maker = new ChainMaker({ eventBytes })
  for (const event of maker.events(20)) expect(Math.abs(event.bytes.byteLength - eventBytes)).toBeLessThan(4)
})
