import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { CheckedBlock } from '../../src/chain/check-block.ts'
import { toHex } from '../../src/codec/bytes.ts'
import { Commit } from '../../src/codec/generated/chain.ts'
import { joinFinalized } from '../../src/codec/raw.ts'
import type { KeyPair } from '../../src/crypto/ed25519.ts'
import { buildBlock } from '../../src/ledger/build-block.ts'
import { Ledger, type LedgerTuning } from '../../src/ledger/ledger.ts'
import { type Log, silentLog } from '../../src/log.ts'
import { blockItems } from '../../src/sync/blocks.ts'
import type { PeerFailure } from '../../src/sync/events.ts'
import { SyncManager } from '../../src/sync/manager.ts'
import type { Stall, SyncOptions, SyncPorts, SyncRun } from '../../src/sync/types.ts'
import { VerifyPool } from '../../src/verify/pool.ts'
import { ChainMaker, chainInMemory, type MemoryChain } from '../support/chain-maker.ts'
import { honest, lying, refusing, type Source, Sources, short, silent } from './support/sources.ts'

const BLOCKS = 160
const SPEC = { eventsPerBlock: 5, seed: 11, params: { snapshotInterval: 10 } }
const FRAME_BYTES = (1 << 20) + (64 << 10)

let chain: MemoryChain
let pool: VerifyPool
let folder: string
let ledger: Ledger
const managers: SyncManager[] = []

beforeAll(() => {
  chain = chainInMemory(BLOCKS, SPEC)
  pool = new VerifyPool({ genesisJson: chain.genesis.json, size: 2 })
})

afterAll(() => pool.close())

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'moloch-sync-'))
  ledger = await open()
})

afterEach(async () => {
  for (const manager of managers.splice(0)) await manager.stop()
  await ledger.close()
  await rm(folder, { recursive: true, force: true })
})

function open(tuning: LedgerTuning = {}): Promise<Ledger> {
  return Ledger.open({ path: join(folder, 'chain'), genesis: chain.genesis, log: silentLog, tuning })
}

interface Setup {
  readonly manager: SyncManager
  readonly sources: Sources
  readonly penalised: [peer: string, failure: PeerFailure][]
  readonly stalls: Stall[]
}

function setup(
  peers: Record<string, Source>,
  options: Partial<SyncOptions> = {},
  ports: Partial<SyncPorts<CheckedBlock>> = {}
): Setup {
  const sources = new Sources(peers)
  const manager = new SyncManager(
    { ledger, items: blockItems(pool, sources.fetch), log: silentLog, ...ports },
    { frameBytes: FRAME_BYTES, gatherMs: 0, ...options }
  )
  managers.push(manager)
  const penalised: [string, PeerFailure][] = []
  const stalls: Stall[] = []
  manager.on('penalise', (peer, failure) => penalised.push([peer, failure]))
  manager.on('stalled', (stall) => stalls.push(stall))
  return { manager, sources, penalised, stalls }
}

const done = (manager: SyncManager): Promise<SyncRun> => new Promise((resolve) => manager.on('done', resolve))

const stalled = (manager: SyncManager): Promise<Stall> => new Promise((resolve) => manager.on('stalled', resolve))

/** Joins all at `height` and waits until sync is done. */
async function sync({ manager }: Setup, peers: Record<string, Source>, height = BLOCKS): Promise<SyncRun> {
  const run = done(manager)
  for (const id of Object.keys(peers)) manager.setPeer({ id, height, earliest: 1 })
  return run
}

async function syncFrom(
  peers: Record<string, Source>,
  options: Partial<SyncOptions> = {}
): Promise<Setup & { run: SyncRun }> {
  const made = setup(peers, options)
  return { ...made, run: await sync(made, peers) }
}

const tipHash = (): string => toHex(ledger.tip.hash)

describe('range sync into a real ledger', () => {
  it('downloads, checks and writes the chain from all peers, then leaves it to gossip', async () => {
    const peers = { a: honest(chain.frames), b: honest(chain.frames), c: honest(chain.frames) }
    const { manager, sources, run, penalised } = await syncFrom(peers)
    expect(run).toMatchObject({ from: 0, to: BLOCKS, peersUsed: 3 })
    expect(tipHash()).toBe(toHex(chain.maker.head.tip.hash))
    expect(sources.asked).toEqual(new Set(['a', 'b', 'c']))
    expect(penalised).toEqual([])
    expect(manager.state()).toMatchObject({
      strategy: 'gossip',
      height: BLOCKS,
      targetHeight: BLOCKS,
      etaSeconds: 0,
      heldBytes: 0,
      stalled: undefined,
      ranges: [],
      lastRun: run
    })
  })

  it('knows who sent the last blocks also when a status comes between their write and its end', async () => {
    const peers = { a: honest(chain.frames), b: honest(chain.frames), c: honest(chain.frames) }
    const made = setup(peers)
    ledger.on('finalized', () => made.manager.setPeer({ id: 'a', height: 12, earliest: 1 }))
    expect(await sync(made, peers, 12)).toMatchObject({ to: 12, peersUsed: 3 })
  })

  it('goes on from where the ledger stands', async () => {
    await ledger.apply(chain.blocks.slice(0, 50))
    const { sources, run } = await syncFrom({ a: honest(chain.frames) })
    expect(run).toMatchObject({ from: 50, to: BLOCKS })
    expect(Math.min(...sources.requests.map(({ start }) => start))).toBe(51)
  })

  it('leaves one missing block to gossip, and fetches it if gossip does not bring it', async () => {
    await ledger.apply(chain.blocks.slice(0, BLOCKS - 1))
    const { manager, sources } = setup({ a: honest(chain.frames) }, { lagMs: 300 })
    const finished = done(manager)
    manager.setPeer({ id: 'a', height: BLOCKS, earliest: 1 })
    expect(manager.state().strategy).toBe('gossip')
    expect(sources.requests).toEqual([])
    expect(await finished).toMatchObject({ to: BLOCKS })
  })

  it('comes back by itself whenever it falls behind', async () => {
    const { manager } = setup({ a: honest(chain.frames) })
    const first = done(manager)
    manager.setPeer({ id: 'a', height: 40, earliest: 1 })
    expect(await first).toMatchObject({ from: 0, to: 40 })
    const second = done(manager)
    manager.setPeer({ id: 'a', height: 90, earliest: 1 })
    expect(await second).toMatchObject({ from: 40, to: 90 })
    // A certificate seen in gossip, above what any status has said.
    const third = done(manager)
    manager.certified(BLOCKS)
    expect(await third).toMatchObject({ from: 90, to: BLOCKS })
  })

  it('goes with a tip that gossip moves meanwhile', async () => {
    const { manager } = setup({ a: honest(chain.frames, 4, 20) })
    const finished = done(manager)
    manager.setPeer({ id: 'a', height: BLOCKS, earliest: 1 })
    await ledger.apply(chain.blocks.slice(0, 100))
    expect(await finished).toMatchObject({ to: BLOCKS })
  })

  it('waits a moment for more peers when little is missing, so that it does not lean on the first', async () => {
    const peers = { a: honest(chain.frames), b: honest(chain.frames), c: honest(chain.frames) }
    const { manager, sources } = setup(peers, { gatherMs: 500 })
    const finished = done(manager)
    manager.setPeer({ id: 'a', height: 20, earliest: 1 })
    expect(manager.state().strategy).toBe('range')
    await new Promise((resolve) => setImmediate(resolve))
    expect(sources.requests).toEqual([])
    manager.setPeer({ id: 'b', height: 20, earliest: 1 })
    manager.setPeer({ id: 'c', height: 20, earliest: 1 })
    expect(await finished).toMatchObject({ to: 20, peersUsed: 3 })
  })

  it('asks a peer that has pruned only for what it keeps', async () => {
    const peers = { full: honest(chain.frames), pruned: honest(chain.frames) }
    const { manager, sources } = setup(peers)
    const finished = done(manager)
    manager.setPeer({ id: 'pruned', height: BLOCKS, earliest: 81 })
    manager.setPeer({ id: 'full', height: BLOCKS, earliest: 1 })
    await finished
    expect(sources.requests.filter(({ peer, start }) => peer === 'pruned' && start < 81)).toEqual([])
  })

  it('never holds more than its bound', async () => {
    const lookAheadBytes = 12 << 20
    const peers = { a: honest(chain.frames), b: honest(chain.frames) }
    const { manager } = setup(peers, { lookAheadBytes })
    let peak = 0
    const fetch = peers.a
    peers.a = (request, signal) => {
      peak = Math.max(peak, manager.state().heldBytes)
      return fetch(request, signal)
    }
    await sync({ manager } as Setup, peers)
    expect(peak).toBeLessThanOrEqual(lookAheadBytes)
  })
})

describe('peers that do not do what they should', () => {
  it('a silent one, a slow one, a short one and one that refuses hold up nobody', async () => {
    const peers = {
      silent: silent(60_000),
      slow: honest(chain.frames, 1, 200),
      short: short(chain.frames, 3),
      limited: refusing('RATE_LIMITED', { retryAfterMs: 60_000 }),
      unavailable: refusing('UNAVAILABLE'),
      good: honest(chain.frames)
    }
    const { run, penalised } = await syncFrom(peers)
    expect(run.to).toBe(BLOCKS)
    expect(penalised).toEqual([])
  })

  it('one that leaves in the middle: others take over at once', async () => {
    const { manager } = setup({ gone: silent(60_000), here: honest(chain.frames) })
    const finished = done(manager)
    manager.setPeer({ id: 'gone', height: BLOCKS, earliest: 1 })
    manager.setPeer({ id: 'here', height: BLOCKS, earliest: 1 })
    manager.removePeer('gone')
    // Its answer would have come to an end after a minute.
    expect((await finished).seconds).toBeLessThan(60)
  })

  it('a rate limit is waited for, and is no failure', async () => {
    let limits = 2
    const good = honest(chain.frames)
    const source: Source = (request, signal) => {
      return limits-- > 0 ? refusing('RATE_LIMITED', { retryAfterMs: 300 })(request, signal) : good(request, signal)
    }
    const { run, penalised } = await syncFrom({ a: source })
    expect(run.seconds).toBeGreaterThan(0.29)
    expect(penalised).toEqual([])
  })

  const other = new ChainMaker({ ...SPEC, seed: 12 })
  const foreign = chainInMemory(10, { ...SPEC, seed: 12 }).frames
  const bads: Record<string, { bad: () => Uint8Array; code: string | RegExp }> = {
    'garbage bytes': { bad: () => Uint8Array.of(1, 2, 3), code: 'NON_CANONICAL' },
    'a block of another chain': { bad: () => foreign[4] as Uint8Array, code: /./ },
    'the block of another height': { bad: () => chain.frames[80] as Uint8Array, code: 'BAD_HEIGHT' },
    'a seal with a flipped bit': { bad: () => flipped('seal'), code: 'BAD_SEAL' },
    'a commit with a flipped bit': { bad: () => flipped('commit'), code: 'COMMIT_BAD_SIGNATURE' },
    'a commit by too few': { bad: tooFew, code: 'COMMIT_TOO_FEW' },
    'a certified block with a wrong root': { bad: wrongRoot, code: 'BAD_MMR_ROOT' }
  }
  for (const [what, { bad, code }] of Object.entries(bads)) {
    it(`${what}: charged to the one that sent it, and fetched elsewhere`, async () => {
      expect(other.genesis.chainId).not.toBe(chain.genesis.chainId)
      const height = 17
      const peers = { liar: lying(chain.frames, height, bad()) }
      const made = setup({ ...peers, good: honest(chain.frames) })
      const run = sync(made, peers)
      await new Promise<void>((resolve) => made.manager.on('penalise', () => resolve()))
      made.manager.setPeer({ id: 'good', height: BLOCKS, earliest: 1 })
      expect((await run).to).toBe(BLOCKS)
      expect(tipHash()).toBe(toHex(chain.maker.head.tip.hash))
      expect(made.penalised).toHaveLength(1)
      expect(made.penalised[0]).toEqual([
        'liar',
        expect.objectContaining({ height, code: expect.stringMatching(code) })
      ])
    })
  }

  it('more blocks than asked, or a frame of none: barred', async () => {
    const greedy: Source = async function* ({ start, count }) {
      await undefined
      yield chain.frames.slice(start - 1, start + count)
    }
    const empty: Source = async function* () {
      await undefined
      yield []
    }
    const { penalised, run } = await syncFrom({ greedy, empty, good: honest(chain.frames) })
    expect(run.to).toBe(BLOCKS)
    const codes = Object.fromEntries(penalised.map(([peer, { code }]) => [peer, code]))
    expect(codes).toEqual({ greedy: 'TOO_MUCH', empty: 'BAD_FRAME' })
  })

  /** The FinalizedBlock of height 17 with the last byte of a part flipped. */
  function flipped(part: 'seal' | 'commit'): Uint8Array {
    const block = chain.blocks[16]
    if (block === undefined) throw new Error('no block')
    const blockBytes = block.blockBytes.slice()
    const commitBytes = block.commitBytes.slice()
    if (part === 'commit') commitBytes[commitBytes.length - 1] = (commitBytes.at(-1) as number) ^ 1
    else {
      // header: tag, length of two bytes, the header; then the seal: tag, length, 64 bytes.
      const headerLength = ((blockBytes[1] as number) & 0x7f) | ((blockBytes[2] as number) << 7)
      const at = 3 + headerLength + 2
      blockBytes[at] = (blockBytes[at] as number) ^ 1
    }
    return joinFinalized(blockBytes, commitBytes)
  }

  function tooFew(): Uint8Array {
    const block = chain.blocks[16]
    if (block?.commit === undefined) throw new Error('no block')
    const commit = { ...block.commit, signatures: block.commit.signatures.slice(1) }
    return joinFinalized(block.blockBytes, Commit.encode(commit))
  }

  /** What only validators could make: a block of height 17 on another block 16, with a good seal and commit. */
  /** Block 17 on block 16, signed by all that it takes. */
  function wrongRoot(): Uint8Array {
    const maker = new ChainMaker(SPEC)
    for (let i = 0; i < 16; i++) maker.next()
    const next = { ...maker.head.next, mmrRoot: new Uint8Array(32).fill(7) }
    const proposer = maker.validators[maker.genesis.validators.proposer(17, 0)] as KeyPair
    return maker.finalize(buildBlock(maker.genesis, next, { timestamp: maker.nextTimestamp, proposer, events: [] }))
  }

  it('a certified block on another parent: nobody is charged, sync stops and says who signed both', async () => {
    const maker = new ChainMaker(SPEC)
    for (let i = 0; i < 15; i++) maker.next()
    maker.next([])
    const fork = maker.finalize(maker.propose())
    const { manager, penalised } = setup({ a: lying(chain.frames, 17, fork) })
    const stall = stalled(manager)
    manager.setPeer({ id: 'a', height: BLOCKS, earliest: 1 })
    const { code, message } = await stall
    expect(code).toBe('CONFLICTING_FINALITY')
    expect(message).toContain('both are signed by v0, v1, v2')
    expect(ledger.tip.height).toBe(16)
    expect(penalised).toEqual([])
  })
})

describe('a stalled sync says so', () => {
  const STALL = { stallAfterMs: 300 }

  it('with nobody to ask, and resumes', async () => {
    const { manager } = setup({ a: honest(chain.frames) }, STALL)
    const stall = stalled(manager)
    manager.certified(BLOCKS)
    expect(await stall).toMatchObject({ code: 'NO_PEERS', message: expect.stringContaining('block 1 of 160') })
    expect(manager.state().stalled?.code).toBe('NO_PEERS')
    const resumed = new Promise<void>((resolve) => manager.on('resumed', resolve))
    const finished = done(manager)
    manager.setPeer({ id: 'a', height: BLOCKS, earliest: 1 })
    await Promise.all([resumed, finished])
    expect(manager.state().stalled).toBeUndefined()
  })

  it('with only pruned peers', async () => {
    const { manager } = setup({ a: honest(chain.frames) }, STALL)
    const stall = stalled(manager)
    manager.setPeer({ id: 'a', height: BLOCKS, earliest: 100 })
    expect(await stall).toMatchObject({ code: 'NO_SOURCE' })
  })

  it('when the ledger cannot write, at once, at warn level', async () => {
    await ledger.close()
    ledger = await open({
      beforeWrite: () => {
        throw new Error('no space left on device')
      }
    })
    const warnings: string[] = []
    const log: Log = { ...silentLog, warn: (_details, message) => warnings.push(message) }
    const { manager } = setup({ a: honest(chain.frames) }, {}, { log })
    const stall = stalled(manager)
    manager.setPeer({ id: 'a', height: BLOCKS, earliest: 1 })
    expect(await stall).toMatchObject({ code: 'LEDGER_FAILED', message: expect.stringContaining('no space left') })
    expect(warnings).toHaveLength(1)
  })

  it('when two certificates for one height turn up, and stops for good', async () => {
    const { manager } = setup({ a: honest(chain.frames) })
    await ledger.apply(chain.blocks.slice(0, 1))
    // The same validators, another block 1.
    const conflicting = new ChainMaker(SPEC).next([])
    await expect(ledger.apply([conflicting])).rejects.toMatchObject({ code: 'CONFLICTING_FINALITY' })
    const stall = stalled(manager)
    manager.setPeer({ id: 'a', height: BLOCKS, earliest: 1 })
    expect((await stall).code).toBe('CONFLICTING_FINALITY')
    expect(manager.state()).toMatchObject({ height: 1, ranges: [] })
  })
})

describe('stopping', () => {
  it('ends requests, waits for what is being written, and asks for nothing more', async () => {
    const { manager, sources } = setup({ a: honest(chain.frames, 2, 5), b: silent(60_000) })
    manager.setPeer({ id: 'a', height: BLOCKS, earliest: 1 })
    manager.setPeer({ id: 'b', height: BLOCKS, earliest: 1 })
    await new Promise<void>((resolve) => ledger.on('finalized', () => resolve()))
    await manager.stop()
    const { height } = ledger.tip
    const asked = sources.requests.length
    manager.setPeer({ id: 'a', height: BLOCKS, earliest: 1 })
    await new Promise((resolve) => setImmediate(resolve))
    expect(ledger.tip.height).toBe(height)
    expect(sources.requests).toHaveLength(asked)
  })
})
