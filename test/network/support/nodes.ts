import './hosts.ts'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { PrivateKey } from '@libp2p/interface'
import { decodeCommit } from '../../../src/chain/commit.ts'
import type { Genesis } from '../../../src/chain/genesis.ts'
import { genesisHeader } from '../../../src/chain/header.ts'
import { type KeyPair, keyPairFromSeed } from '../../../src/crypto/ed25519.ts'
import type { Log } from '../../../src/log.ts'
import { createNetwork, type NetworkOptions } from '../../../src/network/node.ts'
import { DEVNET_SETTINGS } from '../../../src/network/settings.ts'
import type { Head, Network, NetworkPorts, PeerView, RawVotes } from '../../../src/network/types.ts'
import { chainInMemory, type MemoryChain } from '../../support/chain-maker.ts'
import { Random } from '../../support/random.ts'
import { stopLater, until } from './hosts.ts'

export interface Line {
  readonly level: string
  readonly message: string
  readonly details: Record<string, unknown>
}

/** A log that keeps its lines. */
export class LogBook implements Log {
  readonly lines: Line[] = []
  readonly debug = this.#at('debug')
  readonly info = this.#at('info')
  readonly warn = this.#at('warn')
  readonly error = this.#at('error')

  of(level: string, part = ''): Line[] {
    return this.lines.filter((line) => line.level === level && line.message.includes(part))
  }

  #at(level: string) {
    return (details: object, message: string): void => {
      this.lines.push({ level, message, details: details as Record<string, unknown> })
    }
  }
}

let made: MemoryChain | undefined

/** A chain of 20 blocks of 5 events, made once a file. */
export function chain(): MemoryChain {
  made ??= chainInMemory(20, { eventsPerBlock: 5 })
  return made
}

/** The chain up to a height, as the network sees it; `height` may be moved. */
export class ChainPorts implements NetworkPorts {
  height: number
  votes: RawVotes = { votes: [], proposal: new Uint8Array(0), block: new Uint8Array(0), finalized: new Uint8Array(0) }
  /** Blocks that were read. */
  read = 0
  readonly chain: MemoryChain
  /** Put in place of what is true. */
  lie: Partial<Head> = {}

  constructor(height: number, source = chain()) {
    this.height = height
    this.chain = source
  }

  head(): Head {
    const block = this.chain.blocks[this.height - 1]
    const next = this.chain.blocks[this.height]
    const { genesis, maker } = this.chain
    return {
      height: this.height,
      hash: block?.hash ?? (this.chain.blocks[0] as { header: { parentHash: Uint8Array } }).header.parentHash,
      mmrRoot: next?.header.mmrRoot ?? maker.head.tip.mmrRoot,
      header: block?.header ?? genesisHeader(genesis),
      commit: block === undefined ? undefined : decodeCommit(block.commitBytes),
      earliestHeight: 1,
      syncing: false,
      ...this.lie
    }
  }

  async *readBlocks(start: number, count: number, maxBytes: number): AsyncGenerator<Uint8Array> {
    let left = maxBytes
    for (let height = start; height < start + count && height <= this.height && left > 0; height += 1) {
      const frame = this.chain.frames[height - 1] as Uint8Array
      left -= frame.byteLength
      this.read += 1
      yield frame
    }
  }

  async readVotes(): Promise<RawVotes> {
    return this.votes
  }
}

export interface TestNode {
  readonly network: Network
  readonly ports: ChainPorts
  readonly log: LogBook
  readonly key: PrivateKey
  readonly address: string
}

export interface NodeOptions extends Partial<Omit<NetworkOptions, 'log'>> {
  readonly height?: number
  readonly genesis?: Genesis
  readonly keySeed?: number
}

/** A started node on 127.0.0.1, quick in its ways. */
export async function node(options: NodeOptions = {}): Promise<TestNode> {
  const { height, keySeed, settings, ...rest } = options
  const ports = (options.ports as ChainPorts | undefined) ?? new ChainPorts(height ?? 0)
  const log = new LogBook()
  const key = options.peerKey ?? (await generateKeyPair('Ed25519'))
  const random = new Random(keySeed ?? 1)
  const network = createNetwork({
    genesis: chain().genesis,
    chainKey: chainKey(keySeed ?? 1),
    mode: 'FULL',
    listen: ['/ip4/127.0.0.1/tcp/0'],
    bootstrap: [],
    userAgent: 'test/1',
    random: () => random.float(),
    ...rest,
    ports,
    peerKey: key,
    log,
    settings: {
      ...DEVNET_SETTINGS,
      redialFirstMs: 50,
      redialLastMs: 400,
      statusPushMs: 100,
      gossipHeartbeatMs: 200,
      subscriptionMs: 300,
      ...settings
    }
  })
  await network.start()
  stopLater(network)
  return { network, ports, log, key, address: network.addresses()[0] as string }
}

export function chainKey(seed: number): KeyPair {
  return keyPairFromSeed(new Uint8Array(32).fill(seed))
}

/** What `of` sees of `peer`. */
export function view(of: TestNode, peer: TestNode): PeerView | undefined {
  return of.network.sessions.get(peer.network.peerId)
}

const READY: ReadonlySet<string> = new Set(['SYNCING', 'SYNCED', 'PROVIDING'])

/** Connects and waits until both sides have each other's Status and gossip subscriptions. */
export async function connect(a: TestNode, b: TestNode): Promise<void> {
  const ready = [whenReady(a, b), whenReady(b, a)]
  await a.network.dial(b.address)
  await Promise.all(ready)
}

export async function whenReady(of: TestNode, peer: TestNode): Promise<PeerView> {
  let got: PeerView | undefined
  const off = of.network.sessions.on('ready', (one) => {
    if (one.peerId === peer.network.peerId) got = one
  })
  await until('ready', () => got !== undefined)
  off()
  return got as unknown as PeerView
}

export async function determined(of: TestNode, peer: TestNode): Promise<void> {
  await until('a determined session', () => READY.has(view(of, peer)?.state ?? ''))
}
