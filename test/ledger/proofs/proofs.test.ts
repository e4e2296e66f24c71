import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { CheckedBlock } from '../../../src/chain/check-block.ts'
import { checkHeader } from '../../../src/chain/check-header.ts'
import { blockHash } from '../../../src/chain/domain.ts'
import { eventId } from '../../../src/chain/event.ts'
import { encodeHeader, genesisBlockHash, genesisHeader, type Header } from '../../../src/chain/header.ts'
import { HeaderChain } from '../../../src/chain/header-chain.ts'
import { leafHash, merkleRoot } from '../../../src/chain/merkle.ts'
import {
  consistencyProof,
  inclusionProof,
  verifyConsistency,
  verifyInclusion
} from '../../../src/chain/merkle-proof.ts'
import { bagPeaks } from '../../../src/chain/mmr.ts'
import { equalBytes } from '../../../src/codec/bytes.ts'
import { assertCanonical } from '../../../src/codec/canonical.ts'
import type { SignedEvent } from '../../../src/codec/generated/event.ts'
import { Proof } from '../../../src/codec/generated/sync.ts'
import { PROOF } from '../../../src/codec/rules.ts'
import { Ledger } from '../../../src/ledger/ledger.ts'
import { silentLog } from '../../../src/log.ts'
import { applyAll } from '../../support/chain-builder.ts'
import { ChainMaker, type ChainSpec } from '../../support/chain-maker.ts'
import { runs } from '../../support/runs.ts'
import { tempDir } from '../../support/temp-dir.ts'

interface World {
  readonly ledger: Ledger
  readonly maker: ChainMaker
  readonly blocks: readonly CheckedBlock[]
  /** Of blocks 0, 1, …: the leaves of every mmr_root. */
  readonly leaves: readonly Uint8Array[]
  readonly headers: readonly Header[]
}

/** A ledger with so many events in each of its blocks. */
async function openWorld(events: readonly number[], spec: Partial<ChainSpec> = {}): Promise<World> {
  const maker = new ChainMaker(spec)
  const blocks = events.map((count) => maker.next(maker.events(count)))
  const { genesis } = maker
  // Few events a segment: ids are found in segments and in memory.
  const ledger = await Ledger.open({ path: tempDir(), genesis, log: silentLog, tuning: { segmentEvents: 5 } })
  onTestFinished(() => ledger.close())
  await applyAll(ledger, blocks)
  const leaves = [genesisBlockHash(genesis), ...blocks.map(({ hash }) => hash)].map(leafHash)
  return { ledger, maker, blocks, leaves, headers: [genesisHeader(genesis), ...blocks.map(({ header }) => header)] }
}

const idsOf = ({ eventIds }: CheckedBlock): Uint8Array[] =>
  Array.from({ length: eventIds.byteLength / 32 }, (_, i) => eventIds.slice(32 * i, 32 * i + 32))

/** Every event of the chain, and where it is. */
const eventsOf = ({ blocks }: World) =>
  blocks.flatMap((block) => idsOf(block).map((id, index) => ({ block, ids: idsOf(block), id, index })))

/** From a height's block up: its own header, and all that may cover it. */
const anchorsOf = ({ blocks }: World, height: number): number[] => [
  0,
  ...Array.from({ length: blocks.length - height }, (_, i) => height + 1 + i)
]

async function holds(ledger: Ledger, anchor: number, header: Header, mmrPath: readonly Uint8Array[]): Promise<boolean> {
  const hash = blockHash(ledger.genesis.hash, header)
  const trusted = await ledger.headerAt(anchor === 0 ? header.height : anchor)
  if (anchor === 0) return mmrPath.length === 0 && equalBytes(hash, trusted?.hash ?? new Uint8Array(0))
  const root = (trusted as { header: Header }).header.mmrRoot
  return verifyInclusion({ leafHash: leafHash(hash), index: header.height, size: anchor, path: mmrPath, root })
}

const chains = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 20 })

test('every event of a chain is proven under every header that covers it', async () => {
  await fc.assert(
    fc.asyncProperty(chains, async (counts) => {
      const world = await openWorld(counts)
      const { ledger, leaves } = world
      for (const { block, ids, id, index } of eventsOf(world)) {
        for (const anchorHeight of anchorsOf(world, block.height)) {
          const proof = await ledger.prove({ event: { eventId: new Uint8Array(id), anchorHeight } })
          assertCanonical(PROOF, Proof.encode(proof))
          const { event, header, ...rest } = proof.event as Required<NonNullable<Proof['event']>>
          const { actor, signature, body } = event as SignedEvent
          expect(eventId(actor, signature, body)).toEqual(id)
          expect(header).toEqual(block.header)
          expect(rest).toEqual({
            eventIndex: index,
            eventCount: ids.length,
            eventPath: inclusionProof(ids, index),
            mmrPath: anchorHeight === 0 ? [] : inclusionProof(leaves.slice(0, anchorHeight), block.height),
            anchorHeight
          })
          const claim = { leafHash: id, index, size: header.eventCount, path: rest.eventPath, root: header.eventsRoot }
          expect(verifyInclusion(claim)).toBe(true)
          expect(await holds(ledger, anchorHeight, header, rest.mmrPath)).toBe(true)
        }
      }
    }),
    runs(8)
  )
})

test('every header is proven under every one above it, and each two are consistent', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 40 }), async (count) => {
      const world = await openWorld(Array<number>(count).fill(0))
      const { ledger, leaves, headers } = world
      for (const [height, header] of headers.entries()) {
        for (const anchorHeight of anchorsOf(world, height)) {
          const { header: proof } = await ledger.prove({ header: { height, anchorHeight } })
          const mmrPath = anchorHeight === 0 ? [] : inclusionProof(leaves.slice(0, anchorHeight), height)
          expect(proof).toEqual({ header, mmrPath, anchorHeight })
          expect(await holds(ledger, anchorHeight, header, mmrPath)).toBe(true)
        }
        for (let to = Math.max(1, height); height > 0 && to <= count; to++) {
          const { consistency } = await ledger.prove({ consistency: { from: height, to } })
          const path = consistencyProof(leaves.slice(0, to), height)
          expect(consistency).toEqual({ from: height, to, path })
          const [fromRoot, toRoot] = [header.mmrRoot, (headers[to] as Header).mmrRoot]
          expect(verifyConsistency({ from: height, to, fromRoot, toRoot, path })).toBe(true)
        }
      }
    }),
    runs(4)
  )
})

describe('what is not proven, and why', () => {
  const eventOf = ({ blocks }: World, height: number): Uint8Array<ArrayBuffer> =>
    (blocks[height - 1] as CheckedBlock).eventIds.slice(0, 32) as Uint8Array<ArrayBuffer>

  test('an event that is unknown, and one under a header that does not cover it or is not there', async () => {
    const world = await openWorld([1, 1, 1, 1])
    const ask = (eventId: Uint8Array<ArrayBuffer>, anchorHeight: number) =>
      world.ledger.prove({ event: { eventId, anchorHeight } })
    await expect(ask(new Uint8Array(32), 0)).rejects.toMatchObject({ code: 'UNKNOWN_EVENT' })
    await expect(ask(eventOf(world, 3), 3)).rejects.toMatchObject({
      code: 'ANCHOR_TOO_OLD',
      message: expect.stringMatching(/^event [0-9a-f]{64} is in block 3: header 3 does not .*headers from 4 up/)
    })
    await expect(ask(eventOf(world, 3), 1)).rejects.toMatchObject({ code: 'ANCHOR_TOO_OLD' })
    await expect(ask(eventOf(world, 3), 5)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: "no header 5 to anchor at; this node's tip is 4"
    })
  })

  test('headers and consistency outside of the chain', async () => {
    const { ledger } = await openWorld([0, 0, 0])
    const header = (height: number, anchorHeight: number) => ledger.prove({ header: { height, anchorHeight } })
    const consistency = (from: number, to: number) => ledger.prove({ consistency: { from, to } })
    await expect(header(2, 2)).rejects.toMatchObject({ code: 'ANCHOR_TOO_OLD' })
    await expect(header(2, 4)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await expect(header(4, 0)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await expect(consistency(0, 2)).rejects.toMatchObject({ code: 'BAD_REQUEST' })
    await expect(consistency(3, 2)).rejects.toMatchObject({ code: 'BAD_REQUEST' })
    await expect(consistency(1, 4)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await expect(ledger.readPeaks(5)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await expect(ledger.prove({})).rejects.toMatchObject({ code: 'BAD_REQUEST' })
  })
})

describe('headers', () => {
  const collect = async (headers: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> => {
    const got: Uint8Array[] = []
    for await (const bytes of headers) got.push(bytes)
    return got
  }

  test('are what a light client follows from genesis, or from any of them with its peaks', async () => {
    const { ledger, headers, leaves, maker } = await openWorld([2, 0, 3, 1, 0, 2, 1])
    for (let start = 1; start <= 7; start++) {
      const peaks = await ledger.readPeaks(start)
      expect(bagPeaks(peaks)).toEqual(merkleRoot(leaves.slice(0, start)))
      for (let count = 1; count <= 9; count++) {
        const got = await collect(ledger.readHeaders(start, count))
        expect(got).toHaveLength(Math.min(count, 8 - start))
        const checked = got.map((bytes) => {
          const result = checkHeader(maker.genesis, bytes)
          if (!result.ok) throw new Error(result.failure.message)
          return result.header
        })
        expect(checked.map(({ header }) => encodeHeader(header))).toEqual(
          headers.slice(start, start + count).map(encodeHeader)
        )
        const [first, ...rest] = checked as [(typeof checked)[0]]
        const chain = start === 1 ? HeaderChain.atGenesis(maker.genesis) : HeaderChain.at(maker.genesis, first, peaks)
        if (!(chain instanceof HeaderChain)) throw new Error(chain.message)
        for (const header of start === 1 ? checked : rest) {
          expect(chain.check(header)).toBeUndefined()
          chain.advance(header)
        }
        expect(chain.tip.mmrRoot).toEqual(merkleRoot(leaves.slice(0, start + got.length)))
      }
    }
    expect(await collect(ledger.readHeaders(8, 5))).toEqual([])
    expect(await ledger.readPeaks(8)).toHaveLength(1)
  })
})

test('proofs and headers are right while blocks are committed', async () => {
  const { ledger, maker } = await openWorld([2])
  const blocks = Array.from({ length: 60 }, () => maker.next(maker.events(1)))
  let done = false
  const committing = (async () => {
    for (let at = 0; at < blocks.length; at += 3) await applyAll(ledger, blocks.slice(at, at + 3))
    done = true
  })()
  let rounds = 0
  while (!done) {
    const { height } = ledger.tip
    const { header } = await ledger.prove({ header: { height: height - 1, anchorHeight: height } })
    expect(await holds(ledger, height, header?.header as Header, header?.mmrPath ?? [])).toBe(true)
    const chain = HeaderChain.atGenesis(maker.genesis)
    for await (const bytes of ledger.readHeaders(1, 1024)) {
      const result = checkHeader(maker.genesis, bytes)
      if (!result.ok) throw new Error(result.failure.message)
      expect(chain.check(result.header)).toBeUndefined()
      chain.advance(result.header)
    }
    expect(chain.tip.height).toBeGreaterThanOrEqual(height)
    rounds++
  }
  await committing
  expect(rounds).toBeGreaterThan(1)
  expect(ledger.tip.height).toBe(61)
})
