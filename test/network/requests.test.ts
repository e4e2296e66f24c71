import type { Stream } from '@libp2p/interface'
import { describe, expect, it } from 'vitest'
import { scope } from '../../src/chain/genesis.ts'
import { joinFinalized } from '../../src/codec/raw.ts'
import type { MolochError } from '../../src/error.ts'
import type { Libp2pNetwork } from '../../src/network/node.ts'
import { DEFAULT_SETTINGS } from '../../src/network/settings.ts'
import { makeGetBlocks } from '../../src/network/streams/blocks.ts'
import { protocolId } from '../../src/network/topics.ts'
import { chainInMemory } from '../support/chain-maker.ts'
import { settled, until } from './support/hosts.ts'
import { ChainPorts, chain, connect, node, type TestNode, view } from './support/nodes.ts'
import { framed } from './support/rpcs.ts'

async function fetchAll(
  from: TestNode,
  to: TestNode,
  range: { start: number; count: number }
): Promise<Uint8Array[][]> {
  const frames: Uint8Array[][] = []
  for await (const blocks of from.network.getBlocks(to.network.peerId, range)) frames.push(blocks)
  return frames
}

describe('blocks', () => {
  it('come as they are stored, in order, in frames of the agreed size', async () => {
    const frameBytes = 3000
    const [a, b] = [await node(), await node({ height: 20, settings: { blocksFrameBytes: frameBytes } })]
    await connect(a, b)
    const frames = await fetchAll(a, b, { start: 3, count: 10 })
    expect(frames.flat()).toEqual(chain().frames.slice(2, 12))
    expect(frames.length).toBeGreaterThan(2)
    for (const blocks of frames) {
      expect(blocks.reduce((sum, { byteLength }) => sum + byteLength, 0)).toBeLessThanOrEqual(frameBytes)
      expect(new Set(blocks.map(({ buffer }) => buffer)).size).toBe(1)
    }
  })

  it('end where the chain or the byte budget does: a prefix is an answer', async () => {
    const [a, b] = [await node(), await node({ height: 7, settings: { blocksAnswerBytes: 4000 } })]
    await connect(a, b)
    expect((await fetchAll(a, b, { start: 6, count: 100 })).flat()).toHaveLength(2)
    const cut = (await fetchAll(a, b, { start: 1, count: 7 })).flat().length
    expect(cut).toBeGreaterThan(0)
    expect(cut).toBeLessThan(7)
  })

  it('that are not held are UNAVAILABLE; a range that is none is BAD_REQUEST', async () => {
    const [a, b] = [await node(), await node({ height: 7 })]
    b.ports.lie = { earliestHeight: 3 }
    await connect(a, b)
    for (const range of [
      { start: 8, count: 1 },
      { start: 2, count: 4 }
    ]) {
      await expect(fetchAll(a, b, range)).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        details: { peer: b.network.peerId }
      })
    }
    for (const range of [
      { start: 0, count: 1 },
      { start: 1, count: 0 },
      { start: 1, count: 513 }
    ]) {
      await expect(fetchAll(a, b, range)).rejects.toMatchObject({ code: 'BAD_REQUEST' })
    }
    await expect(
      a.network.getBlocks('12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo', { start: 1, count: 1 }).next()
    ).rejects.toMatchObject({ code: 'PEER_UNKNOWN' })
  })

  it('are read from the store no faster than the peer takes them', async () => {
    const big = chainInMemory(30, { seed: 3, eventsPerBlock: 60, eventBytes: 12_000, resources: 5 })
    expect(joinFinalized(big.blocks[0]?.blockBytes ?? new Uint8Array(0), new Uint8Array(0)).byteLength).toBeGreaterThan(
      7e5
    )
    const genesis = big.genesis
    const settings = { blocksAnswerBytes: 1 << 30 }
    const a = await node({ genesis, ports: new ChainPorts(0, big), settings })
    const b = await node({ genesis, ports: new ChainPorts(30, big), settings })
    await connect(a, b)
    const answer = a.network.getBlocks(b.network.peerId, { start: 1, count: 30 })
    expect((await answer.next()).value).toHaveLength(1)
    const read = await settled(() => b.ports.read)
    expect(read).toBeLessThan(16)
    let got = 1
    for await (const blocks of answer) got += blocks.length
    expect(got).toBe(30)
  })

  it('asked for too often are refused with when to come back, and the session lives on', async () => {
    const quotas = { ...DEFAULT_SETTINGS.quotas, blocks: { burst: 2, perSecond: 1, concurrent: 2 } }
    const [a, b] = [await node(), await node({ height: 7, settings: { quotas } })]
    await connect(a, b)
    const ask = () => fetchAll(a, b, { start: 1, count: 1 })
    await ask()
    let refused: MolochError | undefined
    for (let i = 0; i < 20 && refused === undefined; i += 1) {
      await ask().catch((error) => {
        refused = error
      })
    }
    expect(refused).toMatchObject({ code: 'RATE_LIMITED' })
    const wait = refused?.details.retryAfterMs as number
    expect(wait).toBeGreaterThan(0)
    expect(wait).toBeLessThanOrEqual(1000)
    await new Promise((resolve) => setTimeout(resolve, wait))
    await ask()
    expect(view(a, b)?.state).toBe('SYNCING')
  })

  it('a large answer is paid for before the next one', async () => {
    const bytes = { burst: 1, perSecond: 4000 }
    const quotas = { ...DEFAULT_SETTINGS.quotas, blocks: { burst: 9, perSecond: 9, concurrent: 9, bytes } }
    const [a, b] = [await node(), await node({ height: 7, settings: { quotas } })]
    await connect(a, b)
    const ask = () => fetchAll(a, b, { start: 1, count: 7 })
    const size = (await ask()).flat().reduce((sum, block) => sum + block.byteLength, 0)
    const wait = await ask().catch((error: MolochError) => error.details.retryAfterMs as number)
    expect(wait).toBeGreaterThan(0)
    // With the tags and lengths of 7 blocks.
    expect(wait).toBeLessThanOrEqual((size + 100) / 4)
  })

  it('requests that were called off hold up nobody, and who says nothing takes no place', async () => {
    const settings = { serveBytesPerSecond: 4096, blocksFrameBytes: 1024, serveAnswers: 4 }
    const [a, b, c] = [await node(), await node({ height: 20, settings }), await node({ keySeed: 3 })]
    await Promise.all([connect(a, b), connect(c, b)])
    const connection = (a.network as Libp2pNetwork).host?.getConnections()[0]
    for (let i = 0; i < 8; i += 1) await connection?.newStream(protocolId(scope(chain().genesis), 'blocks'))
    for (let i = 0; i < 20; i += 1) {
      try {
        for await (const _ of a.network.getBlocks(b.network.peerId, { start: 1, count: 20 })) break
      } catch (error) {
        expect(error).toMatchObject({ code: 'RATE_LIMITED' })
      }
    }
    const got = await fetchAll(c, b, { start: 1, count: 1 })
    expect(got.flat()).toHaveLength(1)
  })

  it('one that goes on asking for what it is refused is disconnected', async () => {
    const quotas = { ...DEFAULT_SETTINGS.quotas, blocks: { burst: 1, perSecond: 0.01, concurrent: 9 } }
    const [a, b] = [await node(), await node({ height: 7, settings: { quotas } })]
    await connect(a, b)
    const codes = new Set<string>()
    for (let i = 0; i < 200 && view(b, a) !== undefined; i += 1) {
      await fetchAll(a, b, { start: 1, count: 1 }).catch(({ code }) => codes.add(code))
    }
    expect(codes).toContain('RATE_LIMITED')
    await until('the end', () => view(b, a) === undefined)
    expect(b.network.held()).toMatchObject([{ peerId: a.network.peerId, verdict: 'disconnect', code: 'REQUEST_FLOOD' }])
  })

  it('more at once than the limit are refused in a frame too', async () => {
    const quotas = { ...DEFAULT_SETTINGS.quotas, blocks: { burst: 100, perSecond: 100, concurrent: 2 } }
    const [a, b] = [await node(), await node({ height: 7, settings: { quotas } })]
    await connect(a, b)
    let open = (): void => {}
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const { readBlocks } = b.ports
    b.ports.readBlocks = async function* (...args) {
      await gate
      yield* readBlocks.apply(b.ports, args)
    }
    const asked = Array.from({ length: 6 }, () =>
      fetchAll(a, b, { start: 1, count: 1 }).then(
        () => 'ok',
        ({ code }) => code
      )
    )
    const refused = asked.map((one) => one.then((code) => code === 'RATE_LIMITED' && open()))
    await Promise.all(refused)
    expect((await Promise.all(asked)).sort()).toEqual([
      'RATE_LIMITED',
      'RATE_LIMITED',
      'RATE_LIMITED',
      'RATE_LIMITED',
      'ok',
      'ok'
    ])
  })

  it('requests that are broken off while they wait for their turn are no lines in the log', async () => {
    const [a, b] = [await node(), await node({ height: 20, settings: { serveBytesPerSecond: 4000 } })]
    await connect(a, b)
    // What is in debt.
    await fetchAll(a, b, { start: 1, count: 6 })
    const [connection] = (a.network as Libp2pNetwork).host?.getConnections() ?? []
    const gone = () => b.log.of('debug', 'answer broken off').length
    const streams: Stream[] = []
    for (let i = 0; i < 6; i += 1) {
      const stream = (await connection?.newStream(protocolId(scope(chain().genesis), 'blocks'))) as Stream
      stream.send(framed(makeGetBlocks(1, 1)))
      await stream.close()
      streams.push(stream)
    }
    const read = b.ports.read
    await until('they wait', () => b.ports.read > 6 && b.ports.read === read)
    for (const stream of streams) stream.abort(new Error('the peer leaves'))
    await until('they are gone', () => gone() >= 3)
    expect(b.log.of('warn')).toEqual([])
  })

  it('a fault of our own is few lines, however often somebody asks', async () => {
    const [a, b] = [await node(), await node({ height: 20 })]
    await connect(a, b)
    b.ports.readBlocks = async function* () {
      yield* []
      throw new Error('the disk is gone')
    }
    for (let i = 0; i < 20; i += 1) {
      await expect(fetchAll(a, b, { start: 1, count: 1 })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    }
    expect(b.log.of('warn', 'could not be answered')).toHaveLength(3)
    expect(b.log.of('debug', 'could not be answered')).toHaveLength(17)
  })

  it('a store that breaks says UNAVAILABLE, a peer that stops in the middle a code', async () => {
    const [a, b] = [await node(), await node({ height: 7, settings: { blocksFrameBytes: 10 } })]
    await connect(a, b)
    const frame = chain().frames[0] as Uint8Array
    b.ports.readBlocks = async function* () {
      yield frame
      yield frame
      throw new Error('the disk')
    }
    const got: number[] = []
    const asking = (async () => {
      for await (const blocks of a.network.getBlocks(b.network.peerId, { start: 1, count: 7 })) got.push(blocks.length)
    })()
    await expect(asking).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(got).toEqual([1])

    b.ports.readBlocks = async function* () {
      yield frame
      yield frame
      await b.network.stop()
    }
    const stopped = await fetchAll(a, b, { start: 1, count: 7 }).catch(({ code }) => code)
    expect(Array.isArray(stopped) ? stopped.flat().length : stopped).toSatisfy(
      (result) => result === 'PEER_CLOSED' || (result as number) < 7
    )
  })
})

describe('votes', () => {
  it('are what consensus holds', async () => {
    const [a, b] = [await node(), await node()]
    await connect(a, b)
    b.ports.votes = {
      votes: [Uint8Array.of(1), Uint8Array.of(2, 3)],
      proposal: Uint8Array.of(4),
      block: new Uint8Array(0),
      finalized: Uint8Array.of(5)
    }
    const request = { height: 5, round: 2, blockHash: new Uint8Array(0), have: [] }
    expect(await a.network.getVotes(b.network.peerId, request)).toEqual(b.ports.votes)
  })

  it('too many for a frame are cut, the block is not', async () => {
    const [a, b] = [await node(), await node()]
    await connect(a, b)
    const block = new Uint8Array(1 << 20).fill(1)
    const votes = Array.from({ length: 2000 }, (_, i) => new Uint8Array(150).fill(i))
    b.ports.votes = { ...b.ports.votes, block, votes }
    const got = await a.network.getVotes(b.network.peerId, {
      height: 5,
      round: 2,
      blockHash: block.slice(0, 32),
      have: []
    })
    expect(Buffer.compare(got.block, block)).toBe(0)
    expect(got.votes.length).toBeGreaterThan(100)
    expect(Buffer.compare(Buffer.concat(got.votes), Buffer.concat(votes.slice(0, got.votes.length)))).toBe(0)
  })

  it('a refusal and an abort have their codes', async () => {
    const [a, b] = [await node(), await node()]
    await connect(a, b)
    b.ports.readVotes = () => new Promise(() => {})
    const controller = new AbortController()
    const request = { height: 5, round: 2, blockHash: new Uint8Array(0), have: [] }
    const asked = a.network.getVotes(b.network.peerId, request, { signal: controller.signal })
    setTimeout(() => controller.abort(), 50)
    await expect(asked).rejects.toMatchObject({ code: 'ABORTED' })
    b.ports.readVotes = () => Promise.reject(new Error('no'))
    await expect(a.network.getVotes(b.network.peerId, request)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(b.log.of('warn', 'could not be answered').length).toBeGreaterThan(0)
  })
})

describe('goodbye', () => {
  it('on stop says why, and the other side shows it', async () => {
    const [a, b] = [await node(), await node()]
    await connect(a, b)
    const said: unknown[] = []
    b.network.on('goodbye', (...args) => said.push(args))
    const closed = new Promise<string | undefined>((resolve) =>
      b.network.sessions.on('closed', ({ reason }) => resolve(reason))
    )
    await a.network.stop()
    expect(await closed).toBe('goodbye: SHUTDOWN, this node stops')
    expect(said).toEqual([[a.network.peerId, 'SHUTDOWN', 'this node stops']])
  })

  it('penalties: a bad peer is told, closed, and kept out while its ban lasts', async () => {
    const [a, b] = [await node(), await node()]
    await connect(a, b)
    const said: unknown[] = []
    b.network.on('goodbye', (_, ...rest) => said.push(rest))
    a.network.penalise(b.network.peerId, 'UNAVAILABLE')
    expect(view(a, b)?.state).toBe('SYNCED')
    a.network.penalise(b.network.peerId, 'BAD_SEAL')
    await until('closed', () => view(a, b) === undefined && view(b, a) === undefined)
    expect(said).toEqual([['BANNED', 'BAD_SEAL']])
    expect(a.log.of('warn', 'peer banned')[0]?.details).toMatchObject({ code: 'BAD_SEAL', verdict: 'ban' })
    await b.network.dial(a.address).catch(() => {})
    await expect(a.network.dial(b.address)).rejects.toMatchObject({ code: 'DIAL_FAILED' })
    await until('still closed', () => a.network.sessions.list().length === 0 && b.network.sessions.list().length === 0)
  })

  it('many small faults end it too', async () => {
    const [a, b] = [await node(), await node()]
    await connect(a, b)
    for (let i = 0; i < 25; i += 1) a.network.penalise(b.network.peerId, 'PEER_TIMEOUT')
    await until('closed', () => view(a, b) === undefined)
    expect(a.log.of('warn', 'peer disconnected').length).toBeGreaterThan(0)
  })
})

describe('what the user does wrong', () => {
  it('is one line with a code', async () => {
    await expect(node({ listen: ['127.0.0.1:9645'] })).rejects.toMatchObject({ code: 'BAD_ADDRESS' })
    await expect(node({ bootstrap: ['nonsense'] })).rejects.toThrow(
      /^nonsense is no address \(.*\); accepted: a multiaddr such as/
    )
    const a = await node()
    const taken = a.address.replace(/\/p2p\/.*/, '')
    await expect(node({ listen: [taken] })).rejects.toMatchObject({ code: 'LISTEN_FAILED' })
    await expect(a.network.dial('/ip4/127.0.0.1/tcp/1')).rejects.toMatchObject({ code: 'DIAL_FAILED' })
    await expect(a.network.dial('what')).rejects.toMatchObject({ code: 'BAD_ADDRESS' })
  })
})
