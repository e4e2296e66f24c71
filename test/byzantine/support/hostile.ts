import type { Connection, Stream } from '@libp2p/interface'
import { encode } from 'it-length-prefixed'
import { pipe } from 'it-pipe'
import { scope } from '../../../src/chain/genesis.ts'
import type { Host } from '../../../src/network/libp2p.ts'
import type { Libp2pNetwork } from '../../../src/network/node.ts'
import type { ProtocolName } from '../../../src/network/settings.ts'
import { type Frame, readOnly } from '../../../src/network/streams/frames.ts'
import { GOODBYE_PROTOCOL } from '../../../src/network/streams/goodbye.ts'
import { HELLO_PROTOCOL } from '../../../src/network/streams/hello.ts'
import { sink } from '../../../src/network/streams/sink.ts'
import { StreamSource } from '../../../src/network/streams/source.ts'
import { protocolId } from '../../../src/network/topics.ts'
import type { GoodbyeName, Head } from '../../../src/network/types.ts'
import { stopLater, until } from '../../network/support/hosts.ts'
import { type ChainPorts, node, type TestNode } from '../../network/support/nodes.ts'
import { honestChain, TIP } from './chain.ts'
import { Forge } from './forge.ts'
import { ProvingPorts } from './proving.ts'

/**
 * What an attacker's handler writes to the stream after it has read the request: raw chunks, no length put before them.
 * When it ends the stream is closed; when it throws the stream is reset. `gone`: the node has ended it, or all is over.
 */
export type RawAnswer = (request: Frame, peer: HostilePeer, gone: Promise<void>) => AsyncGenerator<Uint8Array>

/** What a hostile peer does otherwise than an honest one. All else, Hello first, it does as it should. */
export interface Role {
  /** Bad data on a good wire. */
  readonly ports?: (peer: HostilePeer) => ChainPorts
  /** Protocols whose wire it abuses. */
  readonly answers?: Partial<Record<ProtocolName, RawAnswer>>
  /** What it does unasked, from when it starts to its end. */
  readonly attack?: (peer: HostilePeer, target: Target) => Promise<void>
}

/** Blocks that were asked for. */
export interface Wanted {
  readonly start: number
  readonly count: number
}

/** Whom it attacks. */
export interface Target {
  readonly peerId: string
  readonly address: string
}

/** No attacker waits longer for what it reads. */
const PATIENCE_MS = 10_000

/** A real libp2p node that passes the handshake and then plays its role. */
export class HostilePeer {
  readonly forge = new Forge(honestChain())
  /** How often it did what it is there for. */
  deeds = 0
  /** What lying ports were asked for. */
  readonly asked: Wanted[] = []
  /** What the node under test said when it left. */
  readonly farewells: GoodbyeName[] = []
  #node: TestNode | undefined
  readonly #struck: () => void
  #end: () => void = () => {}
  isAlive = true
  /** Resolves when it is stopped: what waits for ever waits for this. */
  readonly over = new Promise<void>((resolve) => {
    this.#end = resolve
  })

  /** @param struck called with each deed */
  constructor(struck: () => void) {
    this.#struck = struck
  }

  async start(role: Role): Promise<void> {
    const ports = role.ports?.(this) ?? new ProvingPorts(TIP)
    this.#node = await node({ genesis: honestChain().genesis, ports, keySeed: 66 })
    stopLater({
      stop: () => {
        this.isAlive = false
        this.#end()
      }
    })
    this.network.on('goodbye', (_, reason) => this.farewells.push(reason))
    for (const [name, answer] of Object.entries(role.answers ?? {})) await this.#answer(name as ProtocolName, answer)
  }

  get network(): Libp2pNetwork {
    return (this.#node as TestNode).network as Libp2pNetwork
  }

  get host(): Host {
    return this.network.host as Host
  }

  /** What it says of itself, true or not. */
  get head(): Head {
    return (this.#node as TestNode).ports.head()
  }

  get peerId(): string {
    return this.network.peerId
  }

  get address(): string {
    return (this.#node as TestNode).address
  }

  isConnectedTo(peerId: string): boolean {
    return this.host.getConnections().some(({ remotePeer }) => remotePeer.toString() === peerId)
  }

  /** The deed is done, once more. */
  strike(): void {
    this.deeds++
    this.#struck()
  }

  /** Waits, but not beyond its end. */
  async pause(ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const passed = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms)
    })
    await Promise.race([passed, this.over])
    clearTimeout(timer)
  }

  async #answer(name: ProtocolName, answer: RawAnswer): Promise<void> {
    const protocol = protocolOf(name)
    await this.host.unhandle(protocol)
    await this.host.handle(protocol, (stream) => this.#play(stream, answer), { maxInboundStreams: 1024 })
  }

  async #play(stream: Stream, answer: RawAnswer): Promise<void> {
    const input = new StreamSource(stream)
    const closed = new Promise<void>((resolve) => stream.addEventListener('close', () => resolve(), { once: true }))
    const gone = Promise.race([closed, this.over])
    try {
      const times = { firstByteMs: PATIENCE_MS, frameMs: PATIENCE_MS, answerMs: PATIENCE_MS }
      const request = await readOnly(input, { maxFrameBytes: 1 << 20, ...times })
      await pipe(answer(request, this, gone), sink(stream, { stallMs: PATIENCE_MS }))
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error('the attacker resets the stream'))
    }
  }
}

export function protocolOf(name: ProtocolName): string {
  if (name === 'hello') return HELLO_PROTOCOL
  if (name === 'goodbye') return GOODBYE_PROTOCOL
  return protocolId(scope(honestChain().genesis), name)
}

/** A message with its length before it, as the protocol has it. */
export function framed(message: Uint8Array): Uint8Array {
  return encode.single(message, { maxDataLength: 64 << 20 }).subarray()
}

/** Waits until both have passed Hello. */
export async function session(peer: HostilePeer, { peerId }: Target): Promise<Connection> {
  await until('a session with the node', () => peer.network.sessions.get(peerId)?.source === true)
  return peer.host.getConnections().find(({ remotePeer }) => remotePeer.toString() === peerId) as Connection
}
