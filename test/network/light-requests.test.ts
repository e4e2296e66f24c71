import { describe, expect, it, onTestFinished } from 'vitest'
import { checkHeader } from '../../src/chain/check-header.ts'
import { scope } from '../../src/chain/genesis.ts'
import { HeaderChain } from '../../src/chain/header-chain.ts'
import { leafHash } from '../../src/chain/merkle.ts'
import { verifyInclusion } from '../../src/chain/merkle-proof.ts'
import { u64be } from '../../src/codec/bytes.ts'
import { Proof } from '../../src/codec/generated/sync.ts'
import { sha256 } from '../../src/crypto/sha256.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { silentLog } from '../../src/log.ts'
import type { Libp2pNetwork } from '../../src/network/node.ts'
import { DEFAULT_SETTINGS, type NetworkSettings } from '../../src/network/settings.ts'
import { request } from '../../src/network/streams/client.ts'
import { protocolId } from '../../src/network/topics.ts'
import type { HeadersFrame, ProvingPorts } from '../../src/network/types.ts'
import { applyAll } from '../support/chain-builder.ts'
import { tempDir } from '../support/temp-dir.ts'
import { ChainPorts, chain, connect, node, type TestNode, view } from './support/nodes.ts'

type Bytes = Uint8Array<ArrayBuffer>

/** A node with the chain on disk. */
class FullPorts extends ChainPorts {
  readonly proving: ProvingPorts
  /** May be replaced. */
  prove: ProvingPorts['prove']

  constructor(height: number, ledger: Ledger) {
    super(height)
    this.prove = (request) => ledger.prove(request)
    this.proving = {
      readHeaders: (start, count) => ledger.readHeaders(start, count),
      readPeaks: (leafCount) => ledger.readPeaks(leafCount),
      prove: (request, onRead) => this.prove(request, onRead)
    }
  }
}

async function full(settings: Partial<NetworkSettings> = {}) {
  const { genesis, blocks } = chain()
  const ledger = await Ledger.open({ path: tempDir(), genesis, log: silentLog })
  onTestFinished(() => ledger.close())
  await applyAll(ledger, blocks)
  const ports = new FullPorts(blocks.length, ledger)
  return { ...(await node({ ports, settings })), ports, ledger }
}

async function headersOf(from: TestNode, to: TestNode, start: number, count: number): Promise<HeadersFrame[]> {
  const frames: HeadersFrame[] = []
  for await (const frame of from.network.getHeaders(to.network.peerId, { start, count })) frames.push(frame)
  return frames
}

const firstEvent = (height: number): Bytes => chain().blocks[height - 1]?.eventIds.slice(0, 32) as Bytes

describe('headers', () => {
  it('come in order and in frames, with the peaks in the first: a light client follows them', async () => {
    const [a, b] = [await node({ mode: 'LIGHT' }), await full({ blocksFrameBytes: 2000 })]
    await connect(a, b)
    const { genesis, maker } = chain()
    const frames = await headersOf(a, b, 1, 1024)
    expect(frames.length).toBeGreaterThan(5)
    const light = HeaderChain.atGenesis(genesis)
    for (const [index, { peaks, headers }] of frames.entries()) {
      expect(peaks).toHaveLength(index === 0 ? 1 : 0)
      for (const bytes of headers) {
        const result = checkHeader(genesis, bytes)
        if (!result.ok) throw new Error(result.failure.message)
        expect(light.check(result.header)).toBeUndefined()
        light.advance(result.header)
      }
    }
    expect(light.tip.mmrRoot).toEqual(maker.head.tip.mmrRoot)

    const [some] = await headersOf(a, b, 8, 2)
    const first = checkHeader(genesis, some?.headers[0] as Uint8Array)
    if (!first.ok) throw new Error(first.failure.message)
    expect(HeaderChain.at(genesis, first.header, some?.peaks ?? [])).toBeInstanceOf(HeaderChain)
  })

  it('end where the chain or the byte budget does: a prefix is an answer', async () => {
    const [a, b] = [await node(), await full({ headersAnswerBytes: 3000 })]
    await connect(a, b)
    expect((await headersOf(a, b, 19, 100)).flatMap(({ headers }) => headers)).toHaveLength(2)
    const cut = (await headersOf(a, b, 1, 20)).flatMap(({ headers }) => headers)
    expect(cut.length).toBeGreaterThan(1)
    expect(cut.reduce((sum, { byteLength }) => sum + byteLength, 0)).toBeLessThanOrEqual(3000)
  })

  it('that are not held are UNAVAILABLE, with those that are; a range that is none is BAD_REQUEST', async () => {
    const [a, b] = [await node(), await full()]
    b.ports.lie = { earliestHeight: 3 }
    await connect(a, b)
    for (const start of [2, 21]) {
      await expect(headersOf(a, b, start, 1)).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        message: expect.stringMatching('this node holds headers 3 to 20')
      })
    }
    for (const [start, count] of [
      [0, 1],
      [1, 0],
      [1, 1025]
    ] as const) {
      await expect(headersOf(a, b, start, count)).rejects.toMatchObject({ code: 'BAD_REQUEST' })
    }
  })

  it('have a quota of their own, in requests and in headers', async () => {
    const headers = { burst: 9, perSecond: 9, concurrent: 9, blocks: { burst: 1, perSecond: 1 } }
    const [a, b] = [await node(), await full({ quotas: { ...DEFAULT_SETTINGS.quotas, headers } })]
    await connect(a, b)
    await headersOf(a, b, 1, 20)
    await expect(headersOf(a, b, 1, 1)).rejects.toMatchObject({ code: 'RATE_LIMITED' })
    expect(await a.network.getProof(b.network.peerId, { consistency: { from: 1, to: 2 } })).toBeDefined()
    expect(view(a, b)?.state).toBe('SYNCING')
  })
})

describe('proofs', () => {
  it('are of the three kinds, and verify under headers that the asker knows', async () => {
    const [a, b] = [await node(), await full()]
    await connect(a, b)
    const { blocks } = chain()
    const ask = (request: Parameters<typeof a.network.getProof>[1]) => a.network.getProof(b.network.peerId, request)
    const { event } = await ask({ event: { eventId: firstEvent(5), anchorHeight: 20 } })
    const [block, anchor] = [blocks[4], blocks[19]]
    expect(event?.header).toEqual(block?.header)
    const leaf = leafHash(block?.hash as Uint8Array)
    const root = anchor?.header.mmrRoot as Uint8Array
    expect(verifyInclusion({ leafHash: leaf, index: 5, size: 20, path: event?.mmrPath ?? [], root })).toBe(true)
    const { header } = await ask({ header: { height: 5, anchorHeight: 20 } })
    expect(header?.mmrPath).toEqual(event?.mmrPath)
    const { consistency } = await ask({ consistency: { from: 16, to: 20 } })
    expect(consistency).toMatchObject({ from: 16, to: 20 })
  })

  it('that there are not are refused with why, and the session lives on', async () => {
    const [a, b] = [await node(), await full()]
    await connect(a, b)
    const event = (eventId: Bytes, anchorHeight: number) =>
      a.network.getProof(b.network.peerId, { event: { eventId, anchorHeight } })
    await expect(event(new Uint8Array(32), 0)).rejects.toMatchObject({ code: 'UNKNOWN_EVENT' })
    await expect(event(firstEvent(7), 7)).rejects.toMatchObject({
      code: 'ANCHOR_TOO_OLD',
      message: expect.stringMatching('headers from 8 up cover it')
    })
    await expect(event(firstEvent(7), 21)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await expect(a.network.getProof(b.network.peerId, {})).rejects.toMatchObject({ code: 'BAD_REQUEST' })
    // The server looks too: not every client is ours.
    const connection = (a.network as Libp2pNetwork).host?.getConnections()[0]
    if (connection === undefined) throw new Error('not connected')
    const limits = { ...DEFAULT_SETTINGS, maxFrameBytes: 1 << 20 }
    const frames: Proof[] = []
    for await (const frame of request(
      connection,
      protocolId(scope(chain().genesis), 'proof'),
      new Uint8Array(0),
      limits
    ))
      frames.push(Proof.decode(frame))
    expect(frames).toMatchObject([{ refusal: { code: 'BAD_REQUEST' } }])
    expect(view(a, b)?.state).toBe('SYNCING')
  })

  it('have a quota of their own', async () => {
    const proof = { burst: 1, perSecond: 0.1, concurrent: 1 }
    const [a, b] = [await node(), await full({ quotas: { ...DEFAULT_SETTINGS.quotas, proof } })]
    await connect(a, b)
    const ask = () => a.network.getProof(b.network.peerId, { consistency: { from: 1, to: 2 } })
    await ask()
    await expect(ask()).rejects.toMatchObject({ code: 'RATE_LIMITED', details: { peer: b.network.peerId } })
    expect(await headersOf(a, b, 1, 1)).toHaveLength(1)
  })

  it('of a history come with a whole page, and are charged for what was read too', async () => {
    const proof = { burst: 64, perSecond: 16, concurrent: 4, bytes: { burst: 1 << 20, perSecond: 1 } }
    const [a, b] = [await node(), await full({ quotas: { ...DEFAULT_SETTINGS.quotas, proof } })]
    await connect(a, b)
    const ids = Array.from({ length: 4096 }, (_, i) => sha256(u64be(i)))
    const page = { anchorHeight: 20, pages: [{ prevHead: sha256(u64be(0)), ids }] }
    let reads = 0
    b.ports.prove = async (_, onRead) => {
      onRead?.(reads)
      return { history: page }
    }
    const history = { index: 0, key: ids[0] as Bytes, anchorHeight: 20, beforeCount: 0, beforeHead: new Uint8Array(0) }
    const ask = () => a.network.getProof(b.network.peerId, { history })
    expect((await ask()).history).toEqual(page)
    reads = 32 << 20
    expect((await ask()).history).toEqual(page)
    await expect(ask()).rejects.toMatchObject({ code: 'RATE_LIMITED' })
  })

  it('longer than any of the chain are not read', async () => {
    const [a, b] = [await node(), await full()]
    await connect(a, b)
    const path = Array.from({ length: 4000 }, () => new Uint8Array(32))
    b.ports.prove = async () => ({ consistency: { from: 1, to: 2, path } })
    await expect(a.network.getProof(b.network.peerId, { consistency: { from: 1, to: 2 } })).rejects.toMatchObject({
      code: 'FRAME_TOO_LARGE'
    })
  })
})

it('a node that proves nothing does not speak these protocols', async () => {
  const [a, b] = [await node(), await node({ height: 7 })]
  await connect(a, b)
  await expect(headersOf(a, b, 1, 1)).rejects.toMatchObject({ code: 'PEER_UNSUPPORTED' })
  await expect(a.network.getProof(b.network.peerId, { consistency: { from: 1, to: 2 } })).rejects.toMatchObject({
    code: 'PEER_UNSUPPORTED'
  })
})
