import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Stream } from '@libp2p/interface'
import { encode } from 'it-length-prefixed'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { scope } from '../../../src/chain/genesis.ts'
import { toHex } from '../../../src/codec/bytes.ts'
import { GetSnapshot, RawSnapshot } from '../../../src/codec/generated/snapshot.ts'
import { Ledger } from '../../../src/ledger/ledger.ts'
import { silentLog } from '../../../src/log.ts'
import { networkError } from '../../../src/network/errors.ts'
import type { Libp2pNetwork } from '../../../src/network/node.ts'
import type { NetworkSettings } from '../../../src/network/settings.ts'
import type { SnapshotPorts } from '../../../src/network/snapshot-ports.ts'
import { readOnly } from '../../../src/network/streams/frames.ts'
import { sink } from '../../../src/network/streams/sink.ts'
import { StreamSource } from '../../../src/network/streams/source.ts'
import { protocolId } from '../../../src/network/topics.ts'
import { chainRows, type SnapshotSource, snapshotSource } from '../../ledger/support/snapshot-source.ts'
import { until } from '../../network/support/hosts.ts'
import type { TestNode } from '../../network/support/nodes.ts'
import { applyAll } from '../../support/chain-builder.ts'
import { ChainMaker, chainInMemory } from '../../support/chain-maker.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { type Client, client, server } from './support/world.ts'

const HEIGHT = 30

let source: SnapshotSource

/** One that has the hashes, three indexes of several chunks, and the block: nine chunks and more. */
function largeChain() {
  const params = { snapshotInterval: 5, maxBlockBytes: 2 << 20 }
  const maker = new ChainMaker({ eventsPerBlock: 10, resources: 60_000, actors: 4, params })
  const blocks = Array.from({ length: HEIGHT + 6 }, (_, i) => maker.next(maker.events(i >= 25 && i < 29 ? 2500 : 3)))
  return { ...chainInMemory(0), maker, genesis: maker.genesis, blocks }
}

beforeEach(async () => {
  source = await snapshotSource(HEIGHT)
})

async function expectWarped({ outcome, path, folder }: Client, from = source): Promise<void> {
  expect(await outcome).toMatchObject({ kind: 'warped', height: from.manifest.height })
  expect(existsSync(folder)).toBe(false)
  await from.ledger.close()
  const { genesis } = from.chain
  expect(await chainRows(path, genesis, HEIGHT)).toEqual(await chainRows(from.path, genesis, HEIGHT))
  const ledger = await Ledger.open({ path, genesis, log: silentLog })
  expect(ledger.tip.height).toBe(from.manifest.height)
  expect(toHex(ledger.tip.mmrRoot)).toBe(toHex(from.manifest.header.claimedRoot))
  await ledger.close()
}

describe('a warp', () => {
  it('takes chunks from all who have them, and ends as one who synced from genesis', async () => {
    source = await snapshotSource(HEIGHT, largeChain(), 10_000)
    const chunks = source.manifest.chunks.length
    expect(chunks).toBeGreaterThan(5)
    const servers = await Promise.all([server(source), server(source), server(source)])
    let asked = 0
    const world = await client(source, servers, {
      network: (network) => ({
        getManifest: (...args) => network.getManifest(...args),
        getHeaders: (...args) => network.getHeaders(...args),
        getChunk: (...args) => {
          asked++
          return network.getChunk(...args)
        }
      })
    })
    await expectWarped(world)
    expect(await world.outcome).toMatchObject({ peersUsed: 3 })
    expect(world.penalised.size).toBe(0)
    // At the end what lags may be asked of a second peer.
    expect(asked).toBeLessThanOrEqual(chunks + 2)
  })

  it('blames nobody for a checker that fails, and fetches again what it was to check', async () => {
    let failures = 2
    const world = await client(source, [await server(source), await server(source)], {
      checkChunk:
        (check) =>
        (...args) =>
          failures-- > 0 ? Promise.reject(new TypeError('out of order')) : check(...args)
    })
    await expectWarped(world)
    expect(world.penalised.size).toBe(0)
    expect(world.log.of('error', 'could not be checked: out of order')).toHaveLength(2)
  })

  it('over a chain that is here keeps its blocks, and says so', async () => {
    const { genesis, blocks } = source.chain
    const path = join(tempDir(), 'chain')
    const before = await Ledger.open({ path, genesis, log: silentLog })
    await applyAll(before, blocks.slice(0, 22))
    await before.close()
    const world = await client(source, [await server(source)], { path })
    await expectWarped(world)
    expect(world.log.of('info', '22 blocks of the chain that was here are carried over')).toHaveLength(1)
    const ledger = await Ledger.open({ path, genesis, log: silentLog })
    onTestFinished(() => ledger.close())
    expect(ledger.history.missing(1, HEIGHT)).toEqual([{ from: 23, to: HEIGHT - 1 }])
  })

  it('takes a snapshot above the checkpoint that is proven to be on its chain', async () => {
    const checkpoint = { height: 12, hash: source.chain.blocks[11]?.hash as Uint8Array }
    await expectWarped(await client(source, [await server(source)], { checkpoint }))
  })

  it('takes the newest of those that are offered', async () => {
    await applyAll(source.ledger, source.chain.blocks.slice(HEIGHT, HEIGHT + 10))
    expect(await source.snapshots.build()).toBe(HEIGHT + 10)
    const old = await server(source, {
      held: (height) => source.snapshots.held(height === 0 ? HEIGHT : height),
      readManifest: (height, checkpoint) => source.snapshots.readManifest(height, checkpoint)
    })
    const world = await client(source, [old, await server(source, {}, HEIGHT + 10)])
    expect(await world.outcome).toMatchObject({ kind: 'warped', height: HEIGHT + 10 })
  })
})

describe('without a snapshot', () => {
  it('says so in one line when its time is up, and what peers hold', async () => {
    const bare = await server(source, { held: () => undefined })
    const world = await client(source, [bare], { giveUpMs: 300 })
    expect(await world.outcome).toMatchObject({
      kind: 'none',
      code: 'NO_SNAPSHOT',
      message: expect.stringMatching(
        /checkpoint 30:[0-9a-f]{64}: 1 connected, they hold blocks 1 to 30 \(.*no snapshot yet/
      )
    })
    expect(world.penalised.size).toBe(0)
  })

  it('a checkpoint above all peers is one that nobody can serve', async () => {
    const checkpoint = { height: 1000, hash: new Uint8Array(32) }
    const world = await client(source, [await server(source)], { checkpoint, giveUpMs: 300 })
    expect(await world.outcome).toMatchObject({
      kind: 'none',
      code: 'CHECKPOINT_UNAVAILABLE',
      message: expect.stringMatching(
        /checkpoint 1000:0+: 1 connected, they hold blocks 1 to 30 .*newest here is of block 30/
      )
    })
  })

  it('without peers it waits for some, and takes the first who comes', async () => {
    const world = await client(source, [], { giveUpMs: 100 })
    const begun = performance.now()
    await until('half a second without an end', () => performance.now() - begun > 500)
    expect(world.warp.state()).toEqual({ phase: 'searching', peers: 0, stalled: undefined })
    const late = await server(source)
    await world.network.dial(late.address)
    await expectWarped(world)
    expect(world.warp.state()).toEqual({ phase: 'ended' })
  })

  it('a chain that is as high stays', async () => {
    const next = await client(source, [await server(source)], { path: await syncedPath() })
    expect(await next.outcome).toMatchObject({ kind: 'none', code: 'CHAIN_AHEAD' })
  })
})

async function syncedPath(): Promise<string> {
  const twin = await snapshotSource(HEIGHT, source.chain)
  await twin.ledger.close()
  return twin.path
}

describe('a wrong checkpoint', () => {
  const wrong = new Uint8Array(32).fill(7)

  it.each([
    ['at the snapshot', HEIGHT],
    ['below it', 12]
  ])('%s ends in one line with what was expected and what peers offer', async (_, height) => {
    const world = await client(source, [await server(source)], { checkpoint: { height, hash: wrong } })
    const certified = toHex(source.chain.blocks[height - 1]?.hash as Uint8Array)
    expect(await world.outcome).toMatchObject({
      kind: 'wrong-checkpoint',
      expected: `${height}:${toHex(wrong)}`,
      certified: `${height}:${certified}`,
      message: expect.stringMatching(`expected ${toHex(wrong)}, but the validators certified ${certified}`)
    })
    expect(world.penalised.size).toBe(0)
  })

  it('is found though nobody has a snapshot', async () => {
    const bare = await server(source, { held: () => undefined })
    const world = await client(source, [bare], { checkpoint: { height: 5, hash: wrong } })
    expect(await world.outcome).toMatchObject({ kind: 'wrong-checkpoint' })
  })
})

describe('a hostile peer is blamed alone, and the others bring what it did not', () => {
  type Lie = (chunk: number) => Promise<Uint8Array | undefined>
  const honest = (chunk: number) => source.snapshots.readChunk(HEIGHT, chunk)

  it.each<[string, RegExp, Lie]>([
    [
      'poison chunk',
      /^CHUNK_/,
      async (chunk) => {
        const data = (await honest(chunk))?.slice() as Uint8Array
        data[data.byteLength >> 1] = (data[data.byteLength >> 1] as number) ^ 1
        return data
      }
    ],
    ['short chunk', /^CHUNK_/, async (chunk) => (await honest(chunk))?.slice(0, -1)],
    ['empty chunk', /^CHUNK_/, async () => new Uint8Array(0)],
    ['chunk of another place', /^CHUNK_/, (chunk) => honest((chunk + 1) % source.manifest.chunks.length)],
    ['chunk too long', /^CHUNK_/, async () => new Uint8Array(1 << 20)],
    [
      'frame too long',
      /^FRAME_TOO_LARGE$/,
      async () => new Uint8Array(source.chain.genesis.params.maxBlockBytes + (60 << 10))
    ]
  ])('%s', async (_, code, readChunk) => {
    const liar = await server(source, { readChunk: (_height, chunk) => readChunk(chunk) })
    const world = await amongHonest(liar)
    await expectWarped(world)
    expectBlamed(world, liar, code)
  })

  it('chunk of another height', async () => {
    await applyAll(source.ledger, source.chain.blocks.slice(HEIGHT, HEIGHT + 10))
    await source.snapshots.build()
    const readChunk = (_: number, chunk: number) => source.snapshots.readChunk(HEIGHT + 10, chunk)
    const liar = await server(source, { held: at30, readChunk })
    const world = await amongHonest(liar, 'readChunk', { lies: { held: at30 } })
    expect(await world.outcome).toMatchObject({ kind: 'warped', height: HEIGHT })
    expectBlamed(world, liar, /^CHUNK_/)
  })

  it('false manifest', async () => {
    const liar = await server(source, {
      readManifest: async (height, checkpoint) => {
        const bytes = (await source.snapshots.readManifest(height, checkpoint))?.slice() as Uint8Array
        bytes[bytes.byteLength - 40] = (bytes[bytes.byteLength - 40] as number) ^ 1
        return bytes
      }
    })
    const world = await amongHonest(liar, 'readManifest')
    await expectWarped(world)
    expectBlamed(world, liar, /^MANIFEST_/)
  })

  it('manifest of another chain', async () => {
    const params = { snapshotInterval: 5 }
    const other = await snapshotSource(HEIGHT, chainInMemory(HEIGHT, { seed: 9, eventsPerBlock: 6, params }))
    const liar = await server(source, { readManifest: (height) => other.snapshots.readManifest(height) })
    const world = await amongHonest(liar, 'readManifest')
    await expectWarped(world)
    expectBlamed(world, liar, /^MANIFEST_HEADER$/)
  })

  it('endless answer', async () => {
    const liar = await server(source)
    await answering(liar, async function* (frame) {
      for (;;) yield frame
    })
    const world = await amongHonest(liar)
    await expectWarped(world)
    expectBlamed(world, liar, /^TOO_MUCH$/)
  })

  it('stall in the middle', async () => {
    const liar = await server(source)
    await answering(liar, async function* (frame, gone) {
      yield frame.subarray(0, frame.byteLength >> 1)
      await gone
    })
    const world = await amongHonest(liar, 'readChunk', { settings: { frameMs: 1000 } })
    await expectWarped(world)
    expectBlamed(world, liar, /^PEER_TIMEOUT$/)
  })
})

/**
 * A client of the liar and of two honest servers. These hold back what they are asked for until the liar has been
 * blamed: else they may have brought everything before anybody asked it.
 */
async function amongHonest(
  liar: TestNode,
  heldBack: 'readManifest' | 'readChunk' = 'readChunk',
  { lies = {}, settings = {} }: { lies?: Partial<SnapshotPorts>; settings?: Partial<NetworkSettings> } = {}
): Promise<Client> {
  let blamed = () => false
  const struck = () => until('the liar is blamed', () => blamed())
  const { snapshots } = source
  const patient = {
    readManifest: async (height: number, checkpoint?: number) => {
      if (heldBack === 'readManifest') await struck()
      return snapshots.readManifest(height, checkpoint)
    },
    readChunk: async (height: number, chunk: number) => {
      if (heldBack === 'readChunk') await struck()
      return snapshots.readChunk(height, chunk)
    }
  }
  const honest = await Promise.all([1, 2].map(() => server(source, { ...patient, ...lies })))
  const world = await client(source, [liar, ...honest], { settings })
  blamed = () => world.penalised.size > 0
  return world
}

const at30 = (height: number) => source.snapshots.held(height === 0 ? HEIGHT : height)

function expectBlamed({ penalised }: Client, { network }: TestNode, code: RegExp): void {
  expect([...penalised.keys()]).toEqual([network.peerId])
  expect(penalised.get(network.peerId)).toMatch(code)
}

/** The node answers requests for chunks with its own frames; it gets the right one, with its length before it. */
async function answering(
  { network }: TestNode,
  answer: (frame: Uint8Array, gone: Promise<void>) => AsyncGenerator<Uint8Array>
): Promise<void> {
  const { host } = network as Libp2pNetwork
  const { genesis } = source.chain
  const protocol = protocolId(scope(genesis), 'snapshot')
  const times = { firstByteMs: 5000, frameMs: 5000, answerMs: 5000 }
  await host?.unhandle(protocol)
  await host?.handle(protocol, async (stream: Stream) => {
    const input = new StreamSource(stream)
    const gone = new Promise<void>((resolve) => stream.addEventListener('close', () => resolve(), { once: true }))
    try {
      const request = GetSnapshot.decode(await readOnly(input, { maxFrameBytes: 1024, ...times }))
      const chunks = source.manifest.chunks.length
      const none = new Uint8Array(0)
      const wantsManifest = request.manifestId.byteLength === 0
      const body = wantsManifest
        ? await source.snapshots.readManifest(HEIGHT, request.checkpointHeight)
        : await source.snapshots.readChunk(HEIGHT, request.firstChunk)
      const bytes = body as Uint8Array<ArrayBuffer>
      const frame = wantsManifest
        ? RawSnapshot.encode({ manifest: bytes, chunk: 0, chunks, data: none })
        : RawSnapshot.encode({ manifest: none, chunk: request.firstChunk, chunks, data: bytes })
      const framed = encode.single(frame, { maxDataLength: 8 << 20 }).subarray()
      const once = async function* () {
        yield framed
      }
      await sink(stream, { stallMs: 5000 })(wantsManifest ? once() : answer(framed, gone))
      await stream.close()
    } catch (error) {
      stream.abort(error as Error)
    }
  })
}

describe('a snapshot of which no chunk comes', () => {
  /** They drop the snapshot of 30 when they are asked for its first chunk, for a newer one. */
  function pruning() {
    let pruned = false
    const held = (height: number) => {
      if (pruned) return height === HEIGHT ? undefined : source.snapshots.held(height)
      return at30(height)
    }
    const readChunk = async (height: number, chunk: number) => {
      pruned ||= height === HEIGHT
      return height === HEIGHT ? undefined : source.snapshots.readChunk(height, chunk)
    }
    return { held, readChunk }
  }

  const barren: [what: string, readChunk: () => Promise<undefined>][] = [
    ['has none of them', async () => undefined],
    ['is not ready', () => Promise.reject(networkError('NOT_READY', 'in a moment'))],
    ['is silent', () => new Promise(() => {})]
  ]

  it.each(barren)(
    'is passed over for one that comes, though a peer that %s goes on offering it',
    async (_, readChunk) => {
      await applyAll(source.ledger, source.chain.blocks.slice(HEIGHT, HEIGHT + 10))
      await source.snapshots.build()
      const honest = pruning()
      const servers = [await server(source, honest), await server(source, { held: at30, readChunk })]
      const world = await client(source, servers, { barrenAfterMs: 2500 })
      expect(await world.outcome).toMatchObject({ kind: 'warped', height: HEIGHT + 10 })
      expect(world.log.of('warn', 'no chunk of the snapshot of block 30 comes from who offer it')).toHaveLength(1)
    }
  )

  it('is waited for and tried once more if some of it is here, before all blocks are synced', async () => {
    let isBack = false
    const asked: number[] = []
    const readChunk = async (height: number, chunk: number) => {
      if (asked.length > 0 && !isBack) throw networkError('NOT_READY', 'in a moment')
      asked.push(chunk)
      return source.snapshots.readChunk(height, chunk)
    }
    // Minutes go by in seconds.
    const begun = performance.now()
    const now = () => begun + 100 * (performance.now() - begun)
    const world = await client(source, [await server(source, { readChunk })], { now, requestsPerPeer: 1 })
    const passedOver = () => world.log.of('warn', 'no chunk of the snapshot of block 30 comes from who offer it').length
    await until('it is passed over', () => passedOver() === 1)
    isBack = true
    await expectWarped(world)
    expect(passedOver()).toBe(1)
    expect(asked.sort()).toEqual([...source.manifest.chunks.keys()])
  })

  it.each(barren)('is no snapshot if a peer that %s offers the only one', async (_, readChunk) => {
    const servers = [await server(source, { held: () => undefined }), await server(source, { readChunk })]
    const world = await client(source, servers, { barrenAfterMs: 500, giveUpMs: 300 })
    expect(await world.outcome).toMatchObject({ kind: 'none', code: 'NO_SNAPSHOT' })
  })
})

describe('interrupted', () => {
  it('goes on with the chunks that are here, and drops them when nobody serves their snapshot', async () => {
    let served = 0
    let open: () => void = () => {}
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const slow = await server(source, {
      readChunk: async (height, chunk) => {
        if (served++ >= 2) await gate
        return source.snapshots.readChunk(height, chunk)
      }
    })
    const first = await client(source, [slow])
    await until('two chunks', () => {
      const state = first.warp.state()
      return state.phase === 'downloading' && state.chunksDone === 2
    })
    expect(first.warp.state()).toMatchObject({ height: HEIGHT, chunks: source.manifest.chunks.length, peers: 1 })
    first.controller.abort(new Error('called off'))
    await expect(first.outcome).rejects.toThrow('called off')
    open()
    expect(readdirSync(first.folder)).toHaveLength(4)

    const asked: number[] = []
    const counting = {
      readChunk: (height: number, chunk: number) => {
        asked.push(chunk)
        return source.snapshots.readChunk(height, chunk)
      }
    }
    const { path, folder } = first
    const stored = readdirSync(folder).flatMap((name) => (name.startsWith('chunk-') ? [Number(name.slice(6))] : []))
    // They are torn on disk though their bits are set: they come again.
    for (const torn of stored) {
      writeFileSync(join(folder, `chunk-${torn}`), readFileSync(join(folder, `chunk-${torn}`)).subarray(1))
    }
    const second = await client(source, [await server(source, counting)], { path, folder })
    await expectWarped(second)
    const all = source.manifest.chunks.map((_, chunk) => chunk)
    expect(asked.slice().sort()).toEqual(all)
    // Together, after one import.
    expect(asked.slice(-2).sort()).toEqual(stored.sort())
    expect(second.log.of('error', 'fetched again')).toHaveLength(2)
  })

  it('a newer snapshot is taken when the one begun is not served any more', async () => {
    const first = await client(source, [await server(source, { readChunk: () => new Promise(() => {}) })])
    await until('a download', () => first.warp.state().phase === 'downloading')
    first.controller.abort(new Error('called off'))
    await expect(first.outcome).rejects.toThrow('called off')
    await applyAll(source.ledger, source.chain.blocks.slice(HEIGHT, HEIGHT + 10))
    await source.snapshots.build()
    const newer = await server(
      source,
      { held: (height) => (height === HEIGHT ? undefined : source.snapshots.held(height)) },
      HEIGHT + 10
    )
    const { path, folder } = first
    const second = await client(source, [newer], { path, folder })
    expect(await second.outcome).toMatchObject({ kind: 'warped', height: HEIGHT + 10 })
    expect(second.log.of('warn', 'block 30 is not served any more: what is here of it is dropped')).toHaveLength(1)
  })
})
