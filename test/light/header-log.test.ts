import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type CheckedHeader, markCheckedHeader } from '../../src/chain/check-header.ts'
import { encodeHeader } from '../../src/chain/header.ts'
import { Commit, TrustedHeader } from '../../src/codec/generated/chain.ts'
import { joinTrustedHeader } from '../../src/codec/raw.ts'
import { HeaderLog } from '../../src/light/header-log.ts'
import { HeaderStore } from '../../src/light/header-store.ts'
import { type Held, holds, lowest, without, withRange } from '../../src/light/held.ts'
import { Database } from '../../src/store/database.ts'
import { chainInMemory } from '../support/chain-maker.ts'
import { Random } from '../support/random.ts'
import { runs } from '../support/runs.ts'
import { tempDir } from '../support/temp-dir.ts'
import { remade, trustedHeaders } from '../support/trusted-headers.ts'

const chain = chainInMemory(1, { eventsPerBlock: 1, seed: 64 })
const { maker } = chain
/** With the signatures of all four validators: the longest there is. */
const original = remade(maker, trustedHeaders(chain)[0] as Uint8Array, { signers: [0, 1, 2, 3] })

/** A header that no one signed: of the real form and size, and as hard to compress. */
function lookalike(height: number, random: Random): CheckedHeader {
  const noise = (length: number) => Uint8Array.from({ length }, () => random.below(256))
  const decoded = TrustedHeader.decode(original)
  const before = decoded.header as NonNullable<typeof decoded.header>
  const header = {
    ...before,
    height,
    parentHash: noise(32),
    eventsRoot: noise(32),
    mmrRoot: noise(32),
    stateRoot: noise(32)
  }
  const hash = noise(32)
  const commit = {
    height,
    round: 0,
    blockHash: hash,
    signatures: (decoded.commit?.signatures ?? []).map(({ validator }) => ({ validator, signature: noise(64) }))
  }
  const [seal, claimedRoot] = [noise(64), noise(32)]
  const bytes = joinTrustedHeader({
    header: encodeHeader(header),
    seal,
    commit: Commit.encode(commit),
    mmrRoot: claimedRoot
  })
  return markCheckedHeader({ height, hash, header, seal, commit, claimedRoot, bytes })
}

const sizeOf = (folder: string) => readdirSync(folder).reduce((sum, file) => sum + statSync(join(folder, file)).size, 0)

async function compacted(path: string): Promise<number> {
  const level = new ClassicLevel<Uint8Array, Uint8Array>(path, { keyEncoding: 'view', valueEncoding: 'view' })
  await level.open()
  await level.compactRange(new Uint8Array(0), new Uint8Array(8).fill(0xff))
  await level.close()
  return sizeOf(path)
}

async function fill(path: string, count: number, keep: number): Promise<HeaderLog['held']> {
  const database = await Database.open(path, { genesisHash: maker.genesis.hash, create: true, contents: 'headers' })
  const store = new HeaderStore(database)
  const log = new HeaderLog(database, store, keep, await store.state())
  const random = new Random(1)
  const peaks = Array.from({ length: 14 }, () => new Uint8Array(32).fill(random.below(256)))
  for (let height = 1; height <= count; height += 256) {
    const length = Math.min(256, count - height + 1)
    await log.append(
      Array.from({ length }, (_, i) => lookalike(height + i, random)),
      peaks
    )
  }
  await database.close()
  return log.held
}

it('takes less than a kilobyte a header: 20 000 of four validators, all signatures, compacted', async () => {
  const path = tempDir()
  const count = 20_000
  await fill(path, count, 0)
  const size = (await compacted(path)) / count
  expect(size).toBeLessThan(1024)
  expect(size).toBeGreaterThan(400)
})

it('gives the room of pruned headers back', async () => {
  const path = tempDir()
  expect(await fill(path, 6000, 1024)).toEqual([{ from: 4977, to: 6000 }])
  expect(await compacted(path)).toBeLessThan(1.5 * 1024 * 1024)
})

it('knows which heights it holds as a set would', () => {
  const range = fc.tuple(fc.nat(40), fc.nat(6)).map(([from, length]) => ({ from, to: from + length }))
  const step = fc.tuple(fc.boolean(), range)
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), fc.nat(45), fc.nat(8), fc.nat(40), (steps, line, most, spared) => {
      const oracle = new Set<number>()
      let held: Held = []
      for (const [add, { from, to }] of steps) {
        held = add ? withRange(held, { from, to }) : without(held, { from, to })
        for (let height = from; height <= to; height++) add ? oracle.add(height) : oracle.delete(height)
      }
      for (let height = 0; height < 50; height++) expect(holds(held, height)).toBe(oracle.has(height))
      held.forEach(({ from, to }, i) => {
        expect(to).toBeGreaterThanOrEqual(from)
        if (i > 0) expect(from).toBeGreaterThan((held[i - 1]?.to ?? 0) + 1)
      })
      const expected = [...oracle].sort((a, b) => a - b).filter((height) => height < line && height !== spared)
      expect(lowest(held, line, most, spared)).toEqual(expected.slice(0, most))
    }),
    runs(300)
  )
})
