import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { CheckedHeader } from '../../src/chain/check-header.ts'
import { toHex } from '../../src/codec/bytes.ts'
import { LightChain } from '../../src/light/light-chain.ts'
import { type Log, silentLog } from '../../src/log.ts'
import type { PeerFailure } from '../../src/sync/events.ts'
import { headerItems } from '../../src/sync/headers.ts'
import { SyncManager } from '../../src/sync/manager.ts'
import type { SyncOptions, SyncRun } from '../../src/sync/types.ts'
import { VerifyPool } from '../../src/verify/pool.ts'
import { chainInMemory, type MemoryChain } from '../support/chain-maker.ts'
import { tempDir } from '../support/temp-dir.ts'
import { type HeaderChanges, remade, trustedHeaders } from '../support/trusted-headers.ts'
import { blocksOf, honest, lying, refusing, type Source, Sources, short, silent } from './support/sources.ts'

const HEADERS = 600
const SPEC = { eventsPerBlock: 0, seed: 71, params: { snapshotInterval: 10 } }

let chain: MemoryChain
let frames: Uint8Array[]
let pool: VerifyPool
const managers: SyncManager<CheckedHeader>[] = []

beforeAll(() => {
  chain = chainInMemory(HEADERS, SPEC)
  frames = trustedHeaders(chain)
  pool = new VerifyPool({ genesisJson: chain.genesis.json, size: 2 })
})
afterAll(() => pool.close())
afterEach(async () => {
  for (const manager of managers.splice(0)) await manager.stop()
})

interface Synced {
  readonly light: LightChain
  readonly manager: SyncManager<CheckedHeader>
  readonly sources: Sources
  readonly penalised: [peer: string, failure: PeerFailure][]
}

async function setup(
  peers: Record<string, Source>,
  options: Partial<SyncOptions> = {},
  log: Log = silentLog
): Promise<Synced> {
  const light = await LightChain.open({ path: tempDir(), genesis: chain.genesis, log: silentLog })
  onTestFinished(async () => {
    await manager.stop()
    await light.close()
  })
  const sources = new Sources(peers)
  const items = headerItems(pool, async function* (peer, range, signal) {
    for await (const headers of sources.fetch(peer, range, signal)) yield { peaks: [], headers }
  })
  const manager = new SyncManager({ ledger: light, items, log }, { frameBytes: 1 << 20, gatherMs: 0, ...options })
  managers.push(manager)
  const penalised: [string, PeerFailure][] = []
  manager.on('penalise', (peer, failure) => penalised.push([peer, failure]))
  return { light, manager, sources, penalised }
}

function run({ manager }: Synced, peers: Record<string, Source>): Promise<SyncRun> {
  const done = new Promise<SyncRun>((resolve) => manager.on('done', resolve))
  for (const id of Object.keys(peers)) manager.setPeer({ id, height: HEADERS, earliest: 1 })
  return done
}

describe('header sync into a real store', () => {
  it('takes the headers from all peers, every range checked, and comes to the tip of a full node', async () => {
    const peers = { a: honest(frames), b: honest(frames, 100), c: honest(frames, 7) }
    const lines: string[] = []
    const log = { ...silentLog, info: (_: unknown, message: string) => lines.push(message) }
    const made = await setup(peers, {}, log)
    expect(await run(made, peers)).toMatchObject({ from: 0, to: HEADERS, peersUsed: 3 })
    expect(made.light.tip).toEqual(chain.maker.head.tip)
    expect(made.light.held).toEqual([{ from: 1, to: HEADERS }])
    for (const height of [1, 300, HEADERS]) expect(await made.light.trustedAt(height)).toEqual(frames[height - 1])
    expect(made.penalised).toEqual([])
    expect(lines).toEqual(['header sync starts', 'header sync is done, gossip takes over'])
    expect(Math.max(...made.sources.requests.map(({ count }) => count))).toBeGreaterThan(64)
  })

  it('asks one peer for more headers at a time than a request for blocks may have', async () => {
    const most = 5000
    let asked = 0
    const source: Source = async function* (request) {
      asked = Math.max(asked, request.count)
      yield blocksOf(frames, request)
    }
    const made = await setup({ a: source })
    made.manager.setPeer({ id: 'a', height: most, earliest: 1 })
    await new Promise<void>((resolve) =>
      made.light.on('finalized', ({ header }) => header.height === HEADERS && resolve())
    )
    expect(asked).toBeGreaterThan(512)
    expect(asked).toBeLessThanOrEqual(1024)
  })

  it('goes on from where the chain stands, below which peers may have pruned', async () => {
    const made = await setup({ a: honest(frames) })
    await made.light.apply(
      (await pool.checkHeaders(frames.slice(0, 250))).map((r) => r.ok && r.header) as CheckedHeader[]
    )
    made.manager.setPeer({ id: 'a', height: HEADERS, earliest: 240 })
    expect(await new Promise<SyncRun>((resolve) => made.manager.on('done', resolve))).toMatchObject({
      from: 250,
      to: HEADERS
    })
    expect(Math.min(...made.sources.requests.map(({ start }) => start))).toBe(251)
  })

  it('a silent one, a short one and one that refuses hold up nobody', async () => {
    const peers = { a: silent(60_000), b: short(frames, 30), c: refusing('UNAVAILABLE'), d: honest(frames) }
    const made = await setup(peers)
    expect((await run(made, peers)).to).toBe(HEADERS)
    expect(made.penalised.map(([peer]) => peer)).not.toContain('d')
  })
})

describe('a header that is bad', () => {
  const AT = 17
  const other = new Uint8Array(32).fill(7)
  const changed = (changes: HeaderChanges) => () => remade(chain.maker, frames[AT - 1] as Uint8Array, changes)
  const bads: Record<string, () => Uint8Array> = {
    NON_CANONICAL: () => new TextEncoder().encode('no header'),
    TOO_LARGE: () => new Uint8Array(5000),
    BAD_HEIGHT: () => frames[80] as Uint8Array,
    BAD_VERSION: changed({ header: { version: 2 } }),
    BAD_VALIDATORS_HASH: changed({ header: { validatorsHash: other } }),
    'BAD_MMR_ROOT before': changed({ header: { mmrRoot: other } }),
    'BAD_MMR_ROOT after': changed({ mmrRoot: other }),
    BAD_STATE_ROOT: changed({ header: { stateRoot: other } }),
    BAD_TIMESTAMP: changed({ header: { timestamp: 1 } }),
    BAD_SEAL: changed({ seal: new Uint8Array(64).fill(1) }),
    COMMIT_TOO_FEW: changed({ signers: [0, 1] }),
    COMMIT_REPEATED_SIGNER: changed({ signers: [0, 1, 1] }),
    COMMIT_WRONG_BLOCK: changed({ commit: { blockHash: other } })
  }
  for (const [what, bad] of Object.entries(bads)) {
    it(`${what}: charged to the one that sent it, and fetched elsewhere`, async () => {
      const made = await setup({ liar: lying(frames, AT, bad()), good: honest(frames) })
      const charged = new Promise<void>((resolve) => made.manager.on('penalise', () => resolve()))
      made.manager.setPeer({ id: 'liar', height: HEADERS, earliest: 1 })
      await charged
      expect((await run(made, { good: honest(frames) })).to).toBe(HEADERS)
      expect(toHex(made.light.tip.hash)).toBe(toHex(chain.maker.head.tip.hash))
      const code = what.replace(/ .*/, '')
      expect(made.penalised).toEqual([['liar', expect.objectContaining({ height: AT, code })]])
    })
  }

  it('a certified one on another parent: nobody is charged, sync stops, and the proof is of the two at one height', async () => {
    const fork = trustedHeaders(chainInMemory(60, { ...SPEC, eventsPerBlock: 1 }))
    const made = await setup({ a: honest(fork) })
    await made.light.apply(
      (await pool.checkHeaders(frames.slice(0, 16))).map((r) => r.ok && r.header) as CheckedHeader[]
    )
    const stalled = new Promise<{ code: string; message: string }>((resolve) => made.manager.on('stalled', resolve))
    made.manager.setPeer({ id: 'a', height: 60, earliest: 1 })
    const { code, message } = await stalled
    expect(code).toBe('CONFLICTING_FINALITY')
    expect(message).toContain('two blocks are certified at height 16')
    expect(message).toContain('both are signed by v0, v1, v2')
    expect(made.penalised).toEqual([])
    expect(made.light.tip.height).toBe(16)
    const [record] = await made.light.evidence()
    expect(record?.parts.map(toHex)).toEqual([toHex(frames[15] as Uint8Array), toHex(fork[15] as Uint8Array)])
  })
})
