import { beforeAll, describe, expect, it } from 'vitest'
import { scope } from '../../src/chain/genesis.ts'
import { checkChunk } from '../../src/chain/snapshot-chunks.ts'
import { type CheckedManifest, checkManifest } from '../../src/chain/snapshot-manifest.ts'
import { GetSnapshot, RawSnapshot } from '../../src/codec/generated/snapshot.ts'
import { RawBlocks } from '../../src/codec/generated/sync.ts'
import type { Libp2pNetwork } from '../../src/network/node.ts'
import { DEFAULT_SETTINGS, type NetworkSettings } from '../../src/network/settings.ts'
import type { SnapshotPorts } from '../../src/network/snapshot-ports.ts'
import { request } from '../../src/network/streams/client.ts'
import { readChunk, readManifest } from '../../src/network/streams/snapshot.ts'
import { protocolId } from '../../src/network/topics.ts'
import { makeSnapshot, someEntries, type TestSnapshot } from '../chain/support/snapshot.ts'
import { ChainPorts, chain, connect, node, type TestNode } from './support/nodes.ts'

type Bytes = Uint8Array<ArrayBuffer>

const PEER = 'somebody'
let snapshot: TestSnapshot
let manifest: CheckedManifest

beforeAll(async () => {
  // Enough keys for an index of several chunks.
  snapshot = await makeSnapshot({ height: 200, indexes: [someEntries(9000), someEntries(3), []] })
  const { height, blockHash: hash, chain } = snapshot
  const check = checkManifest(chain.genesis, snapshot.manifest, { height, hash })
  if (!check.ok) throw new Error(check.failure.message)
  manifest = check.manifest
})

function ports(): SnapshotPorts {
  return {
    held: (height) => (height === 0 || height === 200 ? { manifest } : undefined),
    readManifest: async (height, checkpoint) => (height === 200 && checkpoint <= 200 ? snapshot.manifest : undefined),
    readChunk: async (_height, chunk) => snapshot.chunks[chunk]
  }
}

/** Two nodes of the network's test chain: the streams look at nothing in a snapshot. */
async function connected(settings: Partial<NetworkSettings> = {}): Promise<[TestNode, TestNode]> {
  const server = Object.assign(new ChainPorts(20), { snapshots: ports() })
  const [a, b] = [await node(), await node({ ports: server, settings })]
  await connect(a, b)
  return [a, b]
}

const wanted = (chunk: number) => ({ height: 200, manifestId: manifest.id, chunk, chunks: manifest.chunks.length })

describe('over the network', () => {
  it('a manifest and each of its chunks come whole', async () => {
    const [a, b] = await connected()
    const ask = { height: 0, checkpointHeight: 200 }
    expect(await a.network.getManifest(b.network.peerId, ask)).toEqual(new Uint8Array(snapshot.manifest))
    expect(manifest.chunks.length).toBeGreaterThan(3)
    for (let chunk = 0; chunk < manifest.chunks.length; chunk++) {
      const data = await a.network.getChunk(b.network.peerId, wanted(chunk))
      expect(checkChunk(snapshot.chain.genesis, manifest.chunks, chunk, data).ok).toBe(true)
    }
  })

  it('what is not held is UNAVAILABLE, with what is', async () => {
    const [a, b] = await connected()
    const of = (height: number, checkpointHeight: number) =>
      a.network.getManifest(b.network.peerId, { height, checkpointHeight })
    const newest = { code: 'UNAVAILABLE', message: expect.stringMatching('newest here is of block 200') }
    await expect(of(0, 201)).rejects.toMatchObject(newest)
    await expect(of(100, 50)).rejects.toMatchObject(newest)
    const chunk = a.network.getChunk(b.network.peerId, { ...wanted(0), manifestId: new Uint8Array(32) })
    await expect(chunk).rejects.toMatchObject(newest)
    const none = await node()
    await connect(a, none)
    const unsupported = a.network.getManifest(none.network.peerId, { height: 0, checkpointHeight: 0 })
    await expect(unsupported).rejects.toMatchObject({ code: 'PEER_UNSUPPORTED' })
  })

  it('chunks that are none are BAD_REQUEST, here and at the server; all of them end with the manifest', async () => {
    const [a, b] = await connected()
    for (const chunk of [-1, 0.5, manifest.chunks.length]) {
      await expect(a.network.getChunk(b.network.peerId, wanted(chunk))).rejects.toMatchObject({ code: 'BAD_REQUEST' })
    }
    const count = manifest.chunks.length
    const answers = await raw(a, { firstChunk: 0, count })
    expect(answers.slice(0, -1).map(({ chunk, chunks }) => [chunk, chunks])).toEqual(
      snapshot.chunks.map((_, chunk) => [chunk, count])
    )
    expect(answers.at(-1)?.manifest).toEqual(new Uint8Array(snapshot.manifest))
    expect((await raw(a, { firstChunk: 1, count: 2 })).map(({ chunk }) => chunk)).toEqual([1, 2])
    for (const range of [
      { firstChunk: 0, count: 0 },
      { firstChunk: 1, count }
    ]) {
      expect(await raw(a, range)).toMatchObject([{ refusal: { code: 'BAD_REQUEST' } }])
    }
  })

  it('has a quota of its own', async () => {
    const quota = { burst: 1, perSecond: 0.1, concurrent: 1 }
    const [a, b] = await connected({ quotas: { ...DEFAULT_SETTINGS.quotas, snapshot: quota } })
    await a.network.getChunk(b.network.peerId, wanted(0))
    await expect(a.network.getChunk(b.network.peerId, wanted(0))).rejects.toMatchObject({ code: 'RATE_LIMITED' })
  })
})

async function raw(from: TestNode, range: { firstChunk: number; count: number }): Promise<RawSnapshot[]> {
  const connection = (from.network as Libp2pNetwork).host?.getConnections()[0]
  if (connection === undefined) throw new Error('not connected')
  const message = GetSnapshot.encode({ height: 200, checkpointHeight: 200, manifestId: manifest.id as Bytes, ...range })
  const limits = { ...DEFAULT_SETTINGS, maxFrameBytes: 4 << 20 }
  const frames: RawSnapshot[] = []
  for await (const frame of request(connection, protocolId(scope(chain().genesis), 'snapshot'), message, limits)) {
    frames.push(RawSnapshot.decode(frame))
  }
  return frames
}

describe('a false answer', () => {
  async function* answer(...frames: Uint8Array[]): AsyncGenerator<Bytes> {
    for (const frame of frames) yield frame as Bytes
  }
  const frame = (fields: Partial<RawSnapshot>) =>
    RawSnapshot.encode({ manifest: new Uint8Array(0), chunk: 1, chunks: 5, data: new Uint8Array(9), ...fields })
  const refusal = RawBlocks.encode({
    blocks: [],
    refusal: { code: 'NOT_READY', message: 'no', retryAfterMs: 0 }
  } as never)
  const manifest = new Uint8Array(3)
  const ask = { height: 100, manifestId: new Uint8Array(32), chunk: 1, chunks: 5 }

  it.each([
    ['another chunk', 'BAD_FRAME', [frame({ chunk: 2 })]],
    ['a chunk of so many', 'BAD_FRAME', [frame({ chunks: 6 })]],
    ['a manifest', 'BAD_FRAME', [frame({ manifest })]],
    ['no message', 'BAD_FRAME', [new Uint8Array([0xff])]],
    ['two frames', 'TOO_MUCH', [frame({}), frame({})]],
    ['nothing', 'UNAVAILABLE', []],
    ['a refusal', 'NOT_READY', [refusal]]
  ] as const)('to a request for a chunk: %s is %s', async (_, code, frames) => {
    await expect(readChunk(answer(...frames), ask, PEER)).rejects.toMatchObject({ code })
  })

  it.each([
    ['a chunk', 'BAD_FRAME', [frame({})]],
    ['both', 'BAD_FRAME', [frame({ manifest })]],
    ['two manifests', 'TOO_MUCH', [frame({ manifest, data: new Uint8Array(0) }), frame({ manifest })]],
    ['nothing', 'UNAVAILABLE', []]
  ] as const)('to a request for a manifest: %s is %s', async (_, code, frames) => {
    await expect(readManifest(answer(...frames), PEER)).rejects.toMatchObject({ code })
  })
})
