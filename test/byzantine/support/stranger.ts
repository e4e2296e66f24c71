/** Peers without any validator's key, beside networks of real processes: what costs them nothing and may cost us much. */
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { blockHash } from '../../../src/chain/domain.ts'
import type { Genesis } from '../../../src/chain/genesis.ts'
import { genesisHeader } from '../../../src/chain/header.ts'
import { leafHash } from '../../../src/chain/merkle.ts'
import { Mmr } from '../../../src/chain/mmr.ts'
import { keyPairFromSeed } from '../../../src/crypto/ed25519.ts'
import { silentLog } from '../../../src/log.ts'
import { createNetwork, type Libp2pNetwork } from '../../../src/network/node.ts'
import { DEVNET_SETTINGS } from '../../../src/network/settings.ts'
import type { Head, NetworkPorts } from '../../../src/network/types.ts'
import { host } from '../../network/support/hosts.ts'
import { framed } from './hostile.ts'

export interface Victim {
  readonly name: string
  readonly peerId: string
  readonly address: string
}

/** A peer that is at block 0 and has nothing. */
function ports(genesis: Genesis): NetworkPorts {
  const header = genesisHeader(genesis)
  const hash = blockHash(genesis.hash, header)
  const range = new Mmr()
  range.append(leafHash(hash))
  const head: Head = {
    height: 0,
    hash,
    mmrRoot: range.root(),
    header,
    commit: undefined,
    earliestHeight: 1,
    syncing: true
  }
  const empty = new Uint8Array(0)
  return {
    head: () => head,
    async *readBlocks() {},
    readVotes: async () => ({ votes: [], proposal: empty, block: empty, finalized: empty })
  }
}

/** A stranger that has passed Hello with whomever it dialled: with a key of its own each time it is made. */
export class Stranger {
  readonly network: Libp2pNetwork

  private constructor(network: Libp2pNetwork) {
    this.network = network
  }

  static async arrive(genesis: Genesis, victims: readonly Victim[]): Promise<Stranger> {
    const seed = crypto.getRandomValues(new Uint8Array(32))
    const network = createNetwork({
      genesis,
      chainKey: keyPairFromSeed(seed),
      peerKey: await generateKeyPair('Ed25519'),
      mode: 'FULL',
      listen: ['/ip4/127.0.0.1/tcp/0'],
      bootstrap: [],
      userAgent: 'stranger/1',
      random: Math.random,
      ports: ports(genesis),
      log: silentLog,
      settings: { ...DEVNET_SETTINGS, gossipHeartbeatMs: 500 }
    }) as Libp2pNetwork
    await network.start()
    const stranger = new Stranger(network)
    await Promise.allSettled(victims.map(({ address }) => network.dial(address)))
    return stranger
  }

  /** Whether anybody still talks to it. */
  get isWelcome(): boolean {
    return this.network.sessions.list().some(({ state }) => state !== 'CONNECTING' && state !== 'CLOSED')
  }

  async leave(): Promise<void> {
    await this.network.stop()
  }
}

/** Writes one frame on a gossip stream of a connection on which nobody has said hello. */
export async function rawRpc(victim: Victim, frames: readonly Uint8Array[], hold: Promise<void>): Promise<void> {
  const raw = await host()
  const connection = await raw.dial(multiaddr(victim.address))
  const stream: Stream = await connection.newStream('/meshsub/1.2.0')
  for (const frame of frames) stream.send(framed(frame))
  await Promise.race([
    hold,
    new Promise<void>((done) => stream.addEventListener('close', () => done(), { once: true }))
  ])
  await raw.stop()
}

/** A varint. */
function varint(value: number): number[] {
  const out: number[] = []
  let left = value
  for (; left > 127; left = Math.floor(left / 128)) out.push((left % 128) | 128)
  return [...out, left]
}

/** A length-delimited field. */
export function field(number: number, content: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.from([(number << 3) | 2, ...varint(content.byteLength)]), content])
}

const NOTHING = new Uint8Array(0)

/** RPCs of gossipsub of about `bytes`, all of it empty: as many objects as they can be made to hold. */
export function emptyRpcs(bytes: number, ids = 5000): readonly Uint8Array[] {
  const list = (number: number): Uint8Array => Buffer.concat(Array.from({ length: ids }, () => field(number, NOTHING)))
  const times = (part: Uint8Array): Uint8Array =>
    Buffer.concat(Array.from({ length: Math.max(1, Math.floor(bytes / part.byteLength)) }, () => part))
  // In a control message 1 is IHAVE, 2 IWANT, 3 GRAFT, 4 PRUNE, 5 IDONTWANT; in an RPC 1 subscriptions, 2 messages.
  const controls = [field(1, list(2)), field(2, list(1)), field(3, NOTHING), field(4, list(2)), field(5, list(1))]
  return [...controls.map((part) => field(3, times(part))), times(field(1, NOTHING)), times(field(2, NOTHING))]
}
