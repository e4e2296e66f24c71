import { join } from 'node:path'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import type { CheckedBlock } from '../../../src/chain/check-block.ts'
import { type CheckedEvent, signEvent } from '../../../src/chain/event.ts'
import { MAX_PAGE_IDS } from '../../../src/chain/history.ts'
import { STATE_INDEXES } from '../../../src/chain/state.ts'
import { utf8 } from '../../../src/codec/bytes.ts'
import { assertCanonical } from '../../../src/codec/canonical.ts'
import { Outcome } from '../../../src/codec/generated/event.ts'
import { type GetHistoryProof, Proof } from '../../../src/codec/generated/sync.ts'
import { PROOF } from '../../../src/codec/rules.ts'
import type { KeyPair } from '../../../src/crypto/ed25519.ts'
import { sha256 } from '../../../src/crypto/sha256.ts'
import { hasCode } from '../../../src/error.ts'
import { Ledger } from '../../../src/ledger/ledger.ts'
import type { LedgerTuning } from '../../../src/ledger/open.ts'
import type { Snapshots } from '../../../src/ledger/snapshot/snapshots.ts'
import type { Anchor } from '../../../src/light/verify/anchor.ts'
import { type HistoryKey, historyKey } from '../../../src/light/verify/history-key.ts'
import { verifyHistoryProof } from '../../../src/light/verify/history-proof.ts'
import { silentLog } from '../../../src/log.ts'
import { applyAll } from '../../support/chain-builder.ts'
import { ChainMaker, type ChainSpec } from '../../support/chain-maker.ts'
import { askWhole, Histories, NO_HEAD } from '../../support/histories.ts'
import { runs } from '../../support/runs.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { forgetHistory } from '../../support/warped.ts'

type Bytes = Uint8Array<ArrayBuffer>

interface Options {
  readonly path?: string
  readonly keep?: number
  readonly tuning?: LedgerTuning
}

async function open({ genesis }: ChainMaker, { path = tempDir(), keep = 9, tuning = {} }: Options = {}) {
  const snapshots = keep === 0 ? {} : { snapshots: { folder: join(path, 'snapshots'), keep } }
  const ledger = await Ledger.open({
    path: join(path, 'chain'),
    genesis,
    log: silentLog,
    // Written at each snapshot height, and not between them.
    tuning: { stateWork: 3 * genesis.params.snapshotInterval, ...tuning },
    ...snapshots
  })
  onTestFinished(() => ledger.close())
  return ledger
}

/** Applies block by block, and builds the snapshot of each height that has one. */
async function grow(ledger: Ledger, blocks: readonly CheckedBlock[]): Promise<void> {
  for (const block of blocks) {
    await applyAll(ledger, [block])
    if (block.height % ledger.genesis.params.snapshotInterval === 0) await ledger.snapshots?.build()
  }
}

const asked = ({ index, key }: HistoryKey, anchorHeight = 0): GetHistoryProof => {
  return { index, key: key as Bytes, anchorHeight, beforeCount: 0, beforeHead: NO_HEAD }
}

const whole = (ledger: Ledger, key: HistoryKey, anchor: number) =>
  askWhole(
    async (request) => {
      const proof = await ledger.prove({ history: request })
      assertCanonical(PROOF, Proof.encode(proof))
      return proof.history as NonNullable<Proof['history']>
    },
    key,
    anchor
  )

async function anchorOf(ledger: Ledger, height: number): Promise<Anchor> {
  return { height, ...((await ledger.headerAt(height)) as Omit<Anchor, 'height'>) }
}

const refusal = (ledger: Ledger, request: GetHistoryProof): Promise<unknown> =>
  ledger.prove({ history: request }).then(
    () => 'none',
    ({ code, message }) => `${code}: ${message}`
  )

test('every key of a chain has its whole history under every snapshot, and every other key its absence', async () => {
  const chains = fc.record({
    counts: fc.array(fc.integer({ min: 0, max: 7 }), { minLength: 4, maxLength: 16 }),
    snapshotInterval: fc.integer({ min: 2, max: 5 }),
    seed: fc.nat(1000)
  })
  await fc.assert(
    fc.asyncProperty(chains, async ({ counts, seed, snapshotInterval }) => {
      const spec: Partial<ChainSpec> = { seed, actors: 4, resources: 6, actions: 3, params: { snapshotInterval } }
      const maker = new ChainMaker(spec)
      const blocks = counts.map((count) => maker.next(maker.events(count)))
      const ledger = await open(maker)
      await grow(ledger, blocks)
      const { heights } = ledger.snapshots as Snapshots
      const model = new Histories(blocks)
      const last = model.keys(blocks.length + 1)
      for (const height of heights) {
        const anchor = await anchorOf(ledger, height)
        const none = STATE_INDEXES.map((index) => ({ index, key: utf8(`none ${seed}`) }))
        // Some of the last keys have no event yet at the lower anchors.
        for (const key of [...last, ...none]) {
          const proof = await whole(ledger, key, height)
          expect(proof).toEqual(model.proof(key, height))
          const result = verifyHistoryProof(proof, anchor, maker.genesis, key)
          expect(result.ok ? result.ids : result.message).toEqual(model.idsOf(key, height))
        }
      }
      const [key = { index: 0, key: utf8('none') } as const] = last
      if (heights[0] !== undefined) expect((await whole(ledger, key, 0)).anchorHeight).toBe(heights[0])
    }),
    runs(8)
  )
})

/** Events of one actor; each has an action of its own, or one of a few. */
function eventsOf(maker: ChainMaker, actor: KeyPair, from: number, count: number, action: (at: number) => string) {
  const timestamp = maker.nextTimestamp
  return Array.from({ length: count }, (_, i): CheckedEvent => {
    const resource = { kind: 'document', id: `${from + i}` }
    const fields = { timestamp, action: action(from + i), resource, outcome: Outcome.SUCCESS, metadata: [] }
    return signEvent(maker.genesis.hash, actor, fields)
  })
}

test('a history of more than one page is given page by page, down to the first event', async () => {
  const params = { snapshotInterval: 2, maxBlockBytes: 2 << 20 }
  const maker = new ChainMaker({ validators: 1, actors: 2, params })
  const [actor, other] = maker.actors as [KeyPair, KeyPair]
  const total = 2 * MAX_PAGE_IDS + 50
  const blocks: CheckedBlock[] = []
  // Marks fall inside of blocks; most blocks have events of somebody else, and some nothing.
  for (let at = 0; at < total; at += 1500) {
    const own = eventsOf(maker, actor, at, Math.min(1500, total - at), (i) => (i % 2 === 0 ? 'even' : 'odd'))
    blocks.push(maker.next(own), maker.next(maker.events(at % 3)))
  }
  blocks.push(maker.next(eventsOf(maker, other, 1e6, 1, () => 'late')), maker.next([]), maker.next([]))
  const ledger = await open(maker, { keep: 1 })
  await grow(ledger, blocks)
  const top = ledger.snapshots?.heights[0] as number
  const model = new Histories(blocks)
  for (const key of [historyKey({ actor: actor.publicKey }), historyKey({ action: 'odd' })]) {
    const proof = await whole(ledger, key, 0)
    expect(proof.pages).toHaveLength(Math.ceil(model.idsOf(key, top).length / MAX_PAGE_IDS))
    const result = verifyHistoryProof(proof, await anchorOf(ledger, top), maker.genesis, key)
    expect(result.ok && result.ids).toEqual(model.idsOf(key, top))
  }
  const late = historyKey({ action: 'late' })
  expect((await whole(ledger, late, 0)).pages).toEqual(model.proof(late, top).pages)

  // Pages that a snapshot has proven are given when it is gone; what it never proved is not.
  const key = historyKey({ actor: actor.publicKey })
  const first = (await ledger.prove({ history: asked(key, top) })).history
  const page = first?.pages[0] as NonNullable<typeof first>['pages'][0]
  await grow(ledger, [maker.next([]), maker.next([])])
  expect(ledger.snapshots?.heights).toEqual([top + 2])
  expect(ledger.snapshots?.held(top)).toBeUndefined()
  expect(await refusal(ledger, asked(key, top))).toMatch(/^ANCHOR_TOO_OLD: .*snapshots of \d+$/)
  const more = { ...asked(key, top), beforeCount: 2 * MAX_PAGE_IDS, beforeHead: page.prevHead }
  expect((await ledger.prove({ history: more })).history?.pages[0]?.ids).toHaveLength(MAX_PAGE_IDS)
  expect(await refusal(ledger, { ...more, beforeHead: sha256(page.prevHead) })).toMatch(/^UNAVAILABLE: before_head/)
  expect(await refusal(ledger, { ...more, beforeHead: NO_HEAD })).toMatch(/^BAD_REQUEST: before_head has 0 bytes/)
  expect(await refusal(ledger, { ...more, anchorHeight: top + 2, beforeCount: 2 ** 40 })).toMatch(
    /^UNAVAILABLE: no event/
  )
  expect(await refusal(ledger, { ...more, anchorHeight: 0 })).toMatch(/^BAD_REQUEST: a page that goes on/)
})

test('what a request may read is bounded; asked again it goes on, and who asks is told what was read', async () => {
  const maker = new ChainMaker({ eventsPerBlock: 3, actors: 2, params: { snapshotInterval: 40 } })
  const blocks = Array.from({ length: 41 }, () => maker.next())
  // More than the path's own share, and less than all rows.
  const ledger = await open(maker, { tuning: { historyReadBytes: (256 << 10) + 500 } })
  await applyAll(ledger, blocks)
  await ledger.snapshots?.build()
  const key = historyKey({ actor: (maker.actors[0] as KeyPair).publicKey })
  const read: number[] = []
  let refused = 0
  let proof: Proof | undefined
  while (proof === undefined) {
    try {
      proof = await ledger.prove({ history: asked(key) }, (bytes) => read.push(bytes))
    } catch (error) {
      if (!hasCode(error, 'RATE_LIMITED')) throw error
      expect(error.details.retryAfterMs).toBeGreaterThan(0)
      refused++
    }
  }
  expect(refused).toBeGreaterThan(3)
  expect(read).toHaveLength(refused + 1)
  expect(proof.history).toEqual(new Histories(blocks).proof(key, 40))
})

test('keys whose hashes begin alike are told apart', async () => {
  const maker = new ChainMaker({ validators: 1, actors: 1, params: { snapshotInterval: 4 } })
  const [one, two] = alike()
  const actor = maker.actors[0] as KeyPair
  const pick = (i: number): string => (i % 3 === 0 ? one : two)
  const blocks = [0, 10, 20, 30].map((from) => maker.next(eventsOf(maker, actor, from, 10, pick)))
  const ledger = await open(maker)
  await grow(ledger, blocks)
  const model = new Histories(blocks)
  for (const action of [one, two, one]) {
    const key = historyKey({ action })
    expect(await whole(ledger, key, 4)).toEqual(model.proof(key, 4))
  }
})

/** Two actions whose key hashes share the 32 bits that rows have of them. */
function alike(): [string, string] {
  const seen = new Map<number, string>()
  for (let i = 0; ; i++) {
    const action = `a${i}`
    const prefix = Buffer.from(sha256(utf8(action))).readUInt32BE()
    const before = seen.get(prefix)
    if (before !== undefined) return [before, action]
    seen.set(prefix, action)
  }
}

test('anchors that have no snapshot are refused by what is held', async () => {
  const maker = new ChainMaker({ eventsPerBlock: 3, params: { snapshotInterval: 5 } })
  const blocks = Array.from({ length: 22 }, () => maker.next())
  const key = historyKey({ actor: (maker.actors[0] as KeyPair).publicKey })
  const bare = await open(maker, { keep: 0 })
  await applyAll(bare, blocks)
  expect(await refusal(bare, asked(key))).toMatch(/^UNAVAILABLE: this node keeps no snapshots \(snapshot\.keep is 0\)/)

  const ledger = await open(maker, { keep: 2 })
  expect(await refusal(ledger, asked(key))).toMatch(/^UNAVAILABLE: no snapshot here; this node has no snapshot yet/)
  await grow(ledger, blocks)
  expect(await refusal(ledger, asked(key, 10))).toMatch(/^ANCHOR_TOO_OLD: .*snapshots of 20, 15$/)
  expect(await refusal(ledger, asked(key, 25))).toMatch(/^UNAVAILABLE: no snapshot of block 25 .*its tip is 22$/)
  expect(await refusal(ledger, asked(key, 12))).toMatch(/^BAD_REQUEST: .*accepted: a multiple of 5$/)
  expect(await refusal(ledger, { ...asked(key), index: 3 })).toMatch(/^BAD_REQUEST: no index 3/)
  expect(await refusal(ledger, { ...asked(key), beforeCount: 1, beforeHead: sha256(key.key) as Bytes })).toMatch(
    /^BAD_REQUEST/
  )
})

test('a node that lacks history proves the absence of keys, and says that it cannot tell what others did', async () => {
  const maker = new ChainMaker({ eventsPerBlock: 3, params: { snapshotInterval: 5 } })
  const blocks = Array.from({ length: 12 }, () => maker.next())
  const path = tempDir()
  const full = await open(maker, { path })
  await grow(full, blocks)
  await full.close()
  await forgetHistory(join(path, 'chain'), maker.genesis, 5)
  const ledger = await open(maker, { path })
  const present = new Histories(blocks).keys(10)[0] as HistoryKey
  expect(await refusal(ledger, asked(present, 10))).toMatch(/^UNAVAILABLE: the events of blocks 1 to 4 are history/)
  const absent = historyKey({ resource: { kind: 'document', id: 'none' } })
  const proof = await whole(ledger, absent, 10)
  expect(verifyHistoryProof(proof, await anchorOf(ledger, 10), maker.genesis, absent)).toMatchObject({
    ok: true,
    ids: []
  })
})
