import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { sealedHeaderOf } from '../../../src/codec/raw.ts'
import type { Ledger } from '../../../src/ledger/ledger.ts'
import { verifyHome } from '../../../src/ledger/verify/verify.ts'
import { silentLog } from '../../../src/log.ts'
import type { NetworkSettings } from '../../../src/network/settings.ts'
import type { ProvingPorts } from '../../../src/network/types.ts'
import { Backfill } from '../../../src/sync/backfill/backfill.ts'
import { VerifyPool } from '../../../src/verify/pool.ts'
import { until } from '../../network/support/hosts.ts'
import { ChainPorts, node, type TestNode } from '../../network/support/nodes.ts'
import { chainInMemory } from '../../support/chain-maker.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { trustedHeaders } from '../../support/trusted-headers.ts'
import { contentHash } from '../../support/warped.ts'
import { BASE, EVENTS, type Fixture, fixture, openLedger, TIP } from './support.ts'

type Bytes = Uint8Array

let made: Fixture
let headers: Bytes[]
let pool: VerifyPool

beforeAll(async () => {
  made = await fixture()
  headers = trustedHeaders(made.chain)
  pool = new VerifyPool({ genesisJson: made.chain.genesis.json, size: 1 })
})

afterAll(async () => {
  await pool.close()
  made.remove()
})

/** A node with the whole chain that answers for headers too. */
class FullPorts extends ChainPorts {
  readonly proving: ProvingPorts

  constructor() {
    super(TIP, made.chain)
    this.proving = {
      readHeaders: (start, count) => this.readHeaders(start, count),
      readPeaks: async (leafCount) => this.#peaks(leafCount),
      prove: async () => {
        throw new Error('not asked for')
      }
    }
  }

  async *readHeaders(start: number, count: number): AsyncGenerator<Bytes> {
    for (const header of headers.slice(start - 1, start - 1 + count)) yield header
  }

  /** Nobody looks at them here but to count them. */
  #peaks(leafCount: number): Bytes[] {
    return [...leafCount.toString(2)].filter((bit) => bit === '1').map(() => new Uint8Array(32))
  }
}

/** With other frames in place of the true ones. */
class LyingPorts extends FullPorts {
  readonly #lie: (frame: Bytes, height: number) => Bytes | undefined

  /** @param lie undefined: the answer ends here */
  constructor(lie: (frame: Bytes, height: number) => Bytes | undefined) {
    super()
    this.#lie = lie
  }

  override async *readBlocks(start: number, count: number, maxBytes: number): AsyncGenerator<Bytes> {
    let height = start
    for await (const frame of super.readBlocks(start, count, maxBytes)) {
      const said = this.#lie(frame, height++)
      if (said === undefined) return
      yield said
    }
  }
}

/** Holds its answers back: else it may have brought everything before anybody asked a hostile peer. */
class PatientPorts extends FullPorts {
  may = () => true

  override async *readBlocks(start: number, count: number, maxBytes: number): AsyncGenerator<Bytes> {
    await until('the hostile peer is blamed', () => this.may())
    yield* super.readBlocks(start, count, maxBytes)
  }
}

class StallingPorts extends FullPorts {
  override async *readBlocks(start: number, count: number, maxBytes: number): AsyncGenerator<Bytes> {
    let left = 3
    for await (const frame of super.readBlocks(start, count, maxBytes)) {
      if (left-- === 0) await new Promise(() => {})
      yield frame
    }
  }
}

function server(keySeed: number, ports: ChainPorts = new FullPorts()): Promise<TestNode> {
  // Small frames: answers are many of them.
  return node({ genesis: made.chain.genesis, ports, keySeed, settings: { blocksFrameBytes: 3000 } })
}

interface Client {
  readonly path: string
  readonly ledger: Ledger
  readonly backfill: Backfill
  readonly done: Promise<void>
  readonly penalised: [peer: string, code: string][]
  readonly moved: number[]
}

async function client(servers: readonly TestNode[], settings: Partial<NetworkSettings> = {}): Promise<Client> {
  const path = join(tempDir(), 'chain')
  cpSync(made.warped, path, { recursive: true })
  const ledger = await openLedger(path, made.chain)
  const { network } = await node({
    genesis: made.chain.genesis,
    ports: new ChainPorts(TIP, made.chain),
    keySeed: 9,
    settings
  })
  const backfill = new Backfill(
    {
      genesis: made.chain.genesis,
      history: ledger.history,
      checker: pool,
      blocks: (peer, range, signal) => network.getBlocks(peer, range, { signal }),
      headers: async function* (peer, range, signal) {
        for await (const frame of network.getHeaders(peer, range, { signal })) yield frame.headers
      },
      headerAt: (height) => ledger.headerAt(height),
      busy: () => false,
      log: silentLog
    },
    { pieceHeights: 16 }
  )
  onTestFinished(async () => {
    await backfill.stop()
    await ledger.close()
  })
  const penalised: [string, string][] = []
  const moved: number[] = []
  backfill.on('penalise', (peer, { code }) => {
    penalised.push([peer, code])
    network.penalise(peer, code)
  })
  backfill.on('moved', (earliest) => moved.push(earliest))
  const done = new Promise<void>((resolve) => backfill.on('done', resolve))
  // All of them before the first is asked, or the first could be done before the last has said hello.
  const known = new Set<string>()
  network.sessions.on('update', ({ peerId, source, height, earliestHeight }) => {
    if (!source || height === 0) return
    known.add(peerId)
    backfill.setPeer({ id: peerId, height, earliest: earliestHeight })
    if (known.size === servers.length) backfill.start()
  })
  network.sessions.on('closed', ({ peerId }) => backfill.removePeer(peerId))
  await Promise.all(servers.map(({ address }) => network.dial(address)))
  return { path, ledger, backfill, done, penalised, moved }
}

/** All history is there, as if it had been synced from genesis. */
async function expectWhole({ path, ledger, backfill, done }: Client): Promise<void> {
  await done
  expect(backfill.state()).toMatchObject({ status: 'done', earliest: 1, missing: 0, uncertified: 0, fault: undefined })
  const sealed = await ledger.sealedHeaderAt(1)
  expect(sealed?.commit?.height).toBe(1)
  await ledger.close()
  expect(await verifyHome({ path, genesis: made.chain.genesis })).toEqual({
    height: TIP,
    events: EVENTS * TIP,
    fault: undefined
  })
  expect(await contentHash(path, made.chain.genesis)).toBe(await contentHash(made.whole, made.chain.genesis))
}

describe('history from peers', () => {
  it('comes from several at once, is certified from the top down, and ends as if synced from genesis', async () => {
    const servers = await Promise.all([1, 2, 3].map((seed) => server(seed)))
    const it = await client(servers)
    await expectWhole(it)
    expect(it.penalised).toEqual([])
    expect(it.moved).toEqual([...it.moved].sort((a, b) => b - a))
    expect(it.moved.at(-1)).toBe(1)
    expect(servers.filter(({ ports }) => ports.read > 0).length).toBeGreaterThan(1)
  })

  it('is asked only of those that hold it', async () => {
    const part = new FullPorts()
    part.lie = { earliestHeight: 40 }
    const it = await client([await server(1, part)])
    await until('the upper half', () => it.ledger.earliestHeight === 49)
    // Piece 33 … 48 is not wholly there, and those below not at all.
    expect(part.read).toBe(BASE - 49)
    expect(it.backfill.state()).toMatchObject({ status: 'waiting', missing: 48, peers: 1 })
  })
})

const other = chainInMemory(TIP, { seed: 78, eventsPerBlock: EVENTS })

function flipped(frame: Bytes, at: number): Bytes {
  const place = at < 0 ? frame.length + at : at
  return frame.with(place, (frame[place] as number) ^ 1)
}

/** Where the last event's signature lies: before the commit. */
function inLastEvent(frame: Bytes, height: number): number {
  const { commitBytes } = made.chain.blocks[height - 1] as { commitBytes: Bytes }
  return frame.length - commitBytes.length - 5
}

/** Where the seal lies. */
function inSeal(frame: Bytes, height: number): number {
  const { blockBytes } = made.chain.blocks[height - 1] as { blockBytes: Bytes }
  return Buffer.from(frame).indexOf(Buffer.from(sealedHeaderOf(blockBytes).seal)) + 3
}

const hostile: [what: string, ports: () => ChainPorts, code: string | undefined][] = [
  ['a block of another chain', () => new LyingPorts((_, height) => other.frames[height - 1]), 'BAD_BLOCK_HASH'],
  ['a block of another height', () => new LyingPorts((_, height) => made.chain.frames[height]), 'BAD_HEIGHT'],
  [
    'the right header with an altered event',
    () => new LyingPorts((frame, height) => (height % 5 === 0 ? flipped(frame, inLastEvent(frame, height)) : frame)),
    'BAD_EVENTS_ROOT'
  ],
  ['bytes that are no block', () => new LyingPorts(() => new Uint8Array(500)), 'NON_CANONICAL'],
  ['a bad commit', () => new LyingPorts((frame) => flipped(frame, -1)), 'COMMIT_BAD_SIGNATURE'],
  ['a bad seal', () => new LyingPorts((frame, height) => flipped(frame, inSeal(frame, height))), 'BAD_SEAL'],
  ['an empty answer', () => new LyingPorts(() => undefined), undefined],
  ['a short answer', () => new LyingPorts((frame, height) => (height % 16 > 4 ? undefined : frame)), undefined],
  ['a stall', () => new StallingPorts(), 'PEER_TIMEOUT']
]

describe('hostile peers', () => {
  it.each(hostile)('%s: blamed on its sender alone, and history completes from the others', async (_, ports, code) => {
    const honest = [new PatientPorts(), new PatientPorts()]
    const bad = await server(1, ports())
    let struck = code === undefined
    for (const one of honest) one.may = () => struck
    const servers = await Promise.all(honest.map((one, i) => server(2 + i, one)))
    const it = await client([bad, ...servers], { frameMs: 1000 })
    it.backfill.on('penalise', () => {
      struck = true
    })
    await expectWhole(it)
    const codes = new Set(it.penalised.map(([peer, said]) => `${peer === bad.network.peerId ? 'bad' : 'good'} ${said}`))
    expect([...codes]).toEqual(code === undefined ? [] : [`bad ${code}`])
  })

  it('a bad certificate in answer to the refetch is blamed on who gave it', async () => {
    const forger = new LyingPorts((frame) => flipped(frame, -1))
    const liar = new FullPorts()
    liar.readBlocks = async function* () {}
    liar.readHeaders = async function* (start: number, count: number) {
      for (const header of headers.slice(start - 1, start - 1 + count)) yield flipped(header, -40)
    }
    const [first, second] = [await server(1, forger), await server(2, liar)]
    const it = await client([first, second])
    await until('nobody left to ask', () => it.backfill.state().fault?.code === 'NO_CERTIFICATE')
    expect(it.penalised.map(([peer]) => peer).sort()).toEqual([first.network.peerId, second.network.peerId].sort())
    expect(it.ledger.earliestHeight).toBe(BASE)
    expect((await it.ledger.blockAt(BASE - 1))?.commitBytes).toHaveLength(0)
  })
})
