import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { pipe } from 'it-pipe'
import { describe, expect, it } from 'vitest'
import { createGenesis, scope } from '../../src/chain/genesis.ts'
import { toHex } from '../../src/codec/bytes.ts'
import { Blocks, Hello, HelloAck, Status } from '../../src/codec/generated/sync.ts'
import { DEFAULT_SETTINGS } from '../../src/network/settings.ts'
import { makeGetBlocks } from '../../src/network/streams/blocks.ts'
import { requestOne } from '../../src/network/streams/client.ts'
import { frames } from '../../src/network/streams/frames.ts'
import {
  checkAck,
  checkHello,
  HELLO_PROTOCOL,
  type Identity,
  makeAck,
  makeHello,
  makeRefusedAck,
  newInstance,
  newNonce,
  PROTOCOL_VERSION
} from '../../src/network/streams/hello.ts'
import { sink } from '../../src/network/streams/sink.ts'
import { makeStatus } from '../../src/network/streams/status.ts'
import { protocolId } from '../../src/network/topics.ts'
import { type Mutant, mutantsOf } from '../support/mutants.ts'
import { host, until } from './support/hosts.ts'
import { ChainPorts, chain, chainKey, connect, determined, node, view } from './support/nodes.ts'

const LIMITS = { ...DEFAULT_SETTINGS, maxFrameBytes: 1024 }

function genesisOf(chainId: string, timestamp = 1) {
  const validators = [{ name: 'v', publicKey: chainKey(9).publicKey }]
  return createGenesis({ chainId, timestamp, validators })
}

describe('hello between nodes', () => {
  it('passes both ways and proves both chain keys', async () => {
    const a = await node({ height: 3, keySeed: 1 })
    const b = await node({ height: 3, keySeed: 2, mode: 'OBSERVER' })
    await connect(a, b)
    expect(view(a, b)).toMatchObject({
      state: 'SYNCED',
      direction: 'outbound',
      mode: 'OBSERVER',
      source: false,
      chainKey: toHex(chainKey(2).publicKey),
      height: 3,
      earliestHeight: 1
    })
    expect(view(b, a)).toMatchObject({
      state: 'SYNCED',
      direction: 'inbound',
      source: true,
      chainKey: toHex(chainKey(1).publicKey)
    })
    await until('the user agent', () => view(a, b)?.userAgent !== undefined)
    expect(view(a, b)?.userAgent).toContain('test/1')
    expect(a.network.sessions.counts()).toMatchObject({ SYNCED: 1, CONNECTING: 0 })
  })

  const others = [
    { code: 'WRONG_CHAIN', genesis: genesisOf('other-chain') },
    { code: 'WRONG_GENESIS', genesis: genesisOf(chain().genesis.chainId) }
  ]
  it.each(others)(
    '$code: refused with a reason that both logs show, closed, not redialled',
    async ({ code, genesis }) => {
      const b = await node({})
      const a = await node({ genesis, bootstrap: [b.address], ports: new ChainPorts(0) })
      await until('both refusals', () => [a, b].every(({ log }) => log.of('warn', 'refused at hello').length > 0))
      for (const { log } of [a, b]) {
        const [line, ...more] = log.of('warn', 'refused at hello')
        expect(line?.details.code).toBe(code)
        expect(line?.message).toMatch(code === 'WRONG_CHAIN' ? /other-chain/ : /genesis [0-9a-f]{16}…/)
        expect(more).toEqual([])
      }
      await until('closed', () => b.network.sessions.list().length === 0 && a.network.sessions.list().length === 0)
      // Several backoffs later nobody has come again.
      await new Promise((resolve) => setTimeout(resolve, 1000))
      expect([a, b].flatMap(({ log }) => log.of('debug', 'refused at hello again'))).toEqual([])
      expect(a.network.sessions.list()).toEqual([])
    }
  )

  it('a refused peer with another identity later is another peer', async () => {
    const b = await node({})
    const wrong = await node({ genesis: genesisOf('other-chain') })
    await wrong.network.dial(b.address)
    await until('refusal', () => b.log.of('warn', 'refused').length > 0)
    const right = await node({})
    await connect(right, b)
    expect(view(b, right)?.state).toBe('SYNCED')
  })

  it('a peer that says nothing is closed', async () => {
    const b = await node({ settings: { handshakeMs: 300 } })
    const silent = await host()
    await silent.handle(HELLO_PROTOCOL, () => {})
    const connection = await silent.dial(multiaddr(b.address))
    const closed = new Promise<string>((resolve) =>
      b.network.sessions.on('closed', ({ reason }) => resolve(reason ?? ''))
    )
    expect(await closed).toContain('no hello within 300 ms')
    await until('closed', () => connection.status !== 'open')
  })

  it('a peer that replays an ack of old proves nothing, and is refused', async () => {
    const b = await node({})
    const rogue = await host()
    const old = makeAck(
      {
        genesis: chain().genesis,
        chainKey: chainKey(9),
        mode: 'FULL',
        peerId: rogue.peerId.toMultihash().bytes,
        instance: newInstance()
      },
      peerIdFromPrivateKey(b.key).toMultihash().bytes,
      new ChainPorts(3).head(),
      newNonce()
    )
    await rogue.handle(HELLO_PROTOCOL, async (stream) => {
      await pipe([old], frames(1024), sink(stream, { stallMs: 1000 }))
    })
    const connection = await rogue.dial(multiaddr(b.address))
    await until('the refusal', () => b.log.of('warn', 'refused at hello').length > 0)
    expect(b.log.of('warn')[0]?.details.code).toBe('BAD_SIGNATURE')
    await until('closed', () => connection.status !== 'open')
    expect(b.network.sessions.list()).toEqual([])
  })

  it('a second connection and a restarted peer pass again', async () => {
    const b = await node({ height: 1 })
    const a = await node({ height: 1 })
    await Promise.all([a.network.dial(b.address), b.network.dial(a.address)])
    await Promise.all([determined(a, b), determined(b, a)])
    await a.network.stop()
    await until('gone', () => view(b, a) === undefined)
    const again = await node({ height: 2, peerKey: a.key })
    await again.network.dial(b.address)
    await until('again', () => view(b, again)?.height === 2)
  })

  it('before hello nothing else is answered', async () => {
    const b = await node({ height: 2 })
    const stranger = await host()
    await stranger.handle(HELLO_PROTOCOL, () => {})
    const connection = await stranger.dial(multiaddr(b.address))
    const id = scope(chain().genesis)
    const limits = { ...LIMITS, maxFrameBytes: 1 << 20 }
    const blocks = await requestOne(connection, protocolId(id, 'blocks'), makeGetBlocks(1, 2), limits)
    expect(Blocks.decode(blocks).refusal?.code).toBe('NOT_READY')
    const status = makeStatus(new ChainPorts(5).head(), 1, 0)
    const answer = await requestOne(connection, protocolId(id, 'status'), status, limits)
    expect(Status.decode(answer).refusal?.code).toBe('NOT_READY')
    expect(b.network.sessions.list()[0]?.claimedHeight).toBe(0)
  })

  it('a hello flood is told when to come back', async () => {
    await node({})
    const b = await node({
      settings: { quotas: { ...DEFAULT_SETTINGS.quotas, hello: { burst: 2, perSecond: 0.01, concurrent: 2 } } }
    })
    const stranger = await host()
    await stranger.handle(HELLO_PROTOCOL, () => {})
    const connection = await stranger.dial(multiaddr(b.address))
    const codes: (string | undefined)[] = []
    for (let i = 0; i < 4; i += 1) {
      const answer = await requestOne(connection, HELLO_PROTOCOL, Uint8Array.of(1), LIMITS)
      codes.push(HelloAck.decode(answer).refusal?.code)
    }
    expect(codes).toEqual(['BAD_REQUEST', 'BAD_REQUEST', 'RATE_LIMITED', 'RATE_LIMITED'])
  })
})

describe('hello messages', () => {
  const head = new ChainPorts(4).head()
  const [ida, idb, idc] = [1, 2, 3].map((n) => new Uint8Array(38).fill(n)) as [Uint8Array, Uint8Array, Uint8Array]
  const identity = (peerId: Uint8Array, seed: number): Identity => ({
    genesis: chain().genesis,
    chainKey: chainKey(seed),
    mode: 'FULL',
    peerId,
    instance: newInstance()
  })
  const a = identity(ida, 1)
  const b = identity(idb, 2)

  it('pass in the right hands', () => {
    const nonce = newNonce()
    const result = checkHello(b, ida, makeHello(a, idb, head, nonce))
    expect(result).toMatchObject({ greeting: { chainKey: a.chainKey.publicKey, mode: 'FULL', headHeight: 4 } })
    const greeting = checkAck(a, idb, nonce, makeAck(b, ida, head, nonce), 'b')
    expect(greeting.chainKey).toEqual(b.chainKey.publicKey)
  })

  it('a hello that another peer relays is refused', () => {
    const result = checkHello(b, idc, makeHello(a, idb, head, newNonce()))
    expect(result).toMatchObject({ refused: { code: 'BAD_SIGNATURE' } })
  })

  it('a replayed ack proves nothing', () => {
    const [old, now] = [newNonce(), newNonce()]
    const replayed = makeAck(b, ida, head, old)
    expect(() => checkAck(a, idb, now, replayed, 'b')).toThrow(expect.objectContaining({ code: 'BAD_SIGNATURE' }))
    const forged = HelloAck.encode({ ...HelloAck.decode(replayed), requestNonce: now as Uint8Array<ArrayBuffer> })
    expect(() => checkAck(a, idb, now, forged, 'b')).toThrow(expect.objectContaining({ code: 'BAD_SIGNATURE' }))
  })

  it('an ack meant for another peer, by another, or for a hello is none', () => {
    const nonce = newNonce()
    const acks = [
      makeAck(b, idc, head, nonce),
      makeAck(identity(idc, 3), ida, head, nonce),
      HelloAck.encode({
        ...Hello.decode(makeHello(b, ida, head, nonce)),
        requestNonce: nonce as Uint8Array<ArrayBuffer>
      }),
      HelloAck.encode({
        ...HelloAck.decode(makeAck(b, ida, head, nonce)),
        publicKey: chainKey(3).publicKey as Uint8Array<ArrayBuffer>
      })
    ]
    for (const ack of acks) {
      expect(() => checkAck(a, idb, nonce, ack, 'b')).toThrow(expect.objectContaining({ code: 'BAD_SIGNATURE' }))
    }
  })

  /**
   * What a peer says of itself on a connection that is its own: nobody between can change it, and nothing rests on it that
   * is not proven when it counts (a height by a certificate, a mode by what the peer then serves). Its key would not be
   * believed any more for having signed it.
   */
  const OWN_CLAIMS = ['earliestHeight', 'headHash', 'headHeight', 'instance', 'mode', 'version']

  it('all that is not signed is what a peer claims of itself', () => {
    const nonce = newNonce()
    const claims = (mutants: Mutant<Uint8Array>[], passes: (bytes: Uint8Array) => boolean): string[] => {
      const passed = mutants.filter(({ value }) => {
        try {
          return passes(value)
        } catch {
          return false
        }
      })
      return [...new Set(passed.map(({ path }) => path))].sort()
    }
    const hellos = mutantsOf(Hello.decode(makeHello(a, idb, head, nonce))).map(({ path, value }) => ({
      path,
      value: Hello.encode(value)
    }))
    expect(claims(hellos, (bytes) => 'greeting' in checkHello(b, ida, bytes))).toEqual(OWN_CLAIMS)
    const acks = mutantsOf(HelloAck.decode(makeAck(b, ida, head, nonce))).map(({ path, value }) => ({
      path,
      value: HelloAck.encode(value)
    }))
    expect(claims(acks, (bytes) => checkAck(a, idb, nonce, bytes, 'b') !== undefined)).toEqual(OWN_CLAIMS)
  })

  it('another major version is refused, another minor is not', () => {
    const hello = Hello.decode(makeHello(a, idb, head, newNonce()))
    const minor = checkHello(b, ida, Hello.encode({ ...hello, version: PROTOCOL_VERSION + 7 }))
    expect(minor).toHaveProperty('greeting')
    const major = checkHello(b, ida, Hello.encode({ ...hello, version: PROTOCOL_VERSION + 1000 }))
    expect(major).toMatchObject({
      refused: { code: 'WRONG_VERSION', message: 'this node speaks protocol 2, the peer 3' }
    })
  })

  it('a refused ack has the reason', () => {
    const nonce = newNonce()
    const result = checkHello({ ...b, genesis: genesisOf('elsewhere') }, ida, makeHello(a, idb, head, nonce))
    if (!('refused' in result)) throw new Error('not refused')
    const ack = makeRefusedAck({ ...b, genesis: genesisOf('elsewhere') }, head, nonce, result.refused)
    expect(() => checkAck(a, idb, nonce, ack, 'b')).toThrow(
      /WRONG_CHAIN: this node is on chain elsewhere, the peer on test-1/
    )
  })

  it('what is no hello is a bad frame', () => {
    const good = Hello.decode(makeHello(a, idb, head, newNonce()))
    const bad = [
      Uint8Array.of(0xff),
      new Uint8Array(0),
      Hello.encode({ ...good, nonce: new Uint8Array(31) }),
      Hello.encode({ ...good, publicKey: new Uint8Array(33) }),
      Hello.encode({ ...good, genesisHash: new Uint8Array(0) }),
      Hello.encode({ ...good, instance: new Uint8Array(15) }),
      Hello.encode({ ...good, otherInstance: new Uint8Array(17) }),
      Hello.encode({ ...good, signature: new Uint8Array(63) })
    ]
    for (const frame of bad) {
      expect(() => checkHello(b, ida, frame)).toThrow(expect.objectContaining({ code: 'BAD_FRAME' }))
    }
  })
})
