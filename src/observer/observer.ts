/**
 * A peer that watches gossip: it checks and forwards as every node does, keeps no chain, votes on nothing, and serves
 * nothing. What it cannot have seen it says.
 */
import { randomBytes } from 'node:crypto'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Genesis } from '../chain/genesis.ts'
import { genesisBlockHash, genesisHeader } from '../chain/header.ts'
import { leafHash } from '../chain/merkle.ts'
import { toHex } from '../codec/bytes.ts'
import { keyPairFromSeed, SEED_BYTES } from '../crypto/ed25519.ts'
import { Emitter } from '../emitter.ts'
import { networkError } from '../network/errors.ts'
import { createNetwork, type NetworkOptions } from '../network/node.ts'
import { TOPICS } from '../network/topics.ts'
import type { Head, Network, NetworkPorts, PeerView } from '../network/types.ts'
import { Finals, type TopicGap } from './finals.ts'
import type { Observation, ObserverCounts } from './observations.ts'
import { Outages } from './outages.ts'
import { Reader } from './reader.ts'

export type ObserverOptions = Pick<NetworkOptions, 'genesis' | 'bootstrap' | 'userAgent' | 'log'> &
  Partial<Pick<NetworkOptions, 'listen' | 'settings' | 'trace'>> & {
    /** How long a height may be late before it is missed. Default: 3000. */
    readonly graceMs?: number
  }

/** Longer than a message takes that has to be asked for after a heartbeat. */
const GRACE_MS = 3000
const TICK_MS = 200
/** A peer that is gone without a word is missed after three of these: the watch should know when it sees nothing. */
const STATUS_INTERVAL_MS = 5000

const OPEN: ReadonlySet<string> = new Set(['DETERMINING', 'SYNCING', 'SYNCED', 'PROVIDING'])

export class Observer extends Emitter<{ observed: [observation: Observation] }> {
  readonly #genesis: Genesis
  readonly #network: Network
  readonly #finals: Finals
  readonly #outages = new Outages()
  readonly #reader: Reader
  #tick: NodeJS.Timeout | undefined
  #joined = false
  #everJoined = false

  /** @throws MolochError BAD_ADDRESS */
  static async create(options: ObserverOptions): Promise<Observer> {
    const { graceMs: _, listen = [], settings, ...rest } = options
    const network = createNetwork({
      ...rest,
      // Of this process alone: an observer is nobody in particular.
      peerKey: await generateKeyPair('Ed25519'),
      chainKey: keyPairFromSeed(new Uint8Array(randomBytes(SEED_BYTES))),
      mode: 'OBSERVER',
      listen,
      settings: { statusIntervalMs: STATUS_INTERVAL_MS, ...settings },
      ports: blockZeroOnly(options.genesis)
    })
    return new Observer(options, network)
  }

  private constructor({ genesis, graceMs = GRACE_MS }: ObserverOptions, network: Network) {
    super()
    this.#genesis = genesis
    this.#network = network
    this.#finals = new Finals(graceMs)
    this.#reader = new Reader({
      genesis,
      finals: this.#finals,
      validatorAt: (peerId) => this.#validatorAt(peerId),
      show: (message) => this.emit('observed', message)
    })
  }

  get counts(): ObserverCounts {
    return this.#reader.counts
  }

  /** Whether there is or was a peer at any time. */
  get everJoined(): boolean {
    return this.#everJoined
  }

  get finalHeight(): number {
    return this.#finals.height
  }

  /** Where it listens, if anywhere. */
  addresses(): string[] {
    return this.#network.addresses()
  }

  /** @throws MolochError LISTEN_FAILED */
  async start(): Promise<void> {
    const { sessions } = this.#network
    for (const topic of TOPICS) this.#network.subscribe(topic, this.#reader.rules(topic))
    sessions.on('ready', (peer) => this.#ready(peer))
    // What it says of its height counts only with a commit that proves it.
    sessions.on('update', ({ height }) => this.#finals.certified(height, performance.now()))
    sessions.on('closed', () => this.#closed())
    await this.#network.start()
    this.#tick = setInterval(() => this.#report(this.#finals.settle(performance.now())), TICK_MS)
  }

  /** Reports the gaps that are left; afterwards nothing is observed any more. */
  async stop(): Promise<void> {
    if (this.#tick === undefined) return
    clearInterval(this.#tick)
    this.#tick = undefined
    this.#reader.close()
    this.#report(this.#finals.end(performance.now()))
    await this.#network.stop()
  }

  #ready({ peerId, height }: PeerView): void {
    this.#finals.certified(height, performance.now())
    if (this.#joined) return
    this.#joined = true
    this.#everJoined = true
    const finalHeight = this.#finals.height
    const disconnectedMs = this.#outages.rejoined(performance.now(), finalHeight)
    this.emit('observed', { type: 'joined', at: Date.now(), peer: peerId, finalHeight, disconnectedMs })
  }

  #closed(): void {
    if (!this.#joined || this.#network.sessions.list().some(({ state }) => OPEN.has(state))) return
    this.#joined = false
    this.#outages.left(performance.now(), this.#finals.height)
    if (this.#tick === undefined) return
    this.emit('observed', { type: 'left', at: Date.now(), finalHeight: this.#finals.height })
  }

  #report(gaps: readonly TopicGap[]): void {
    for (const gap of gaps) {
      this.emit('observed', { type: 'gap', at: Date.now(), ...gap, disconnectedMs: this.#outages.within(gap) })
    }
  }

  #validatorAt(peerId: string): number | undefined {
    const key = this.#network.sessions.get(peerId)?.chainKey
    const index = this.#genesis.validators.keys.findIndex((one) => toHex(one) === key)
    return index < 0 ? undefined : index
  }
}

/** Its tip is block 0, which everybody has: nobody takes it for a source, and whoever asks all the same is refused. */
function blockZeroOnly(genesis: Genesis): NetworkPorts {
  const hash = genesisBlockHash(genesis)
  const header = genesisHeader(genesis)
  const head: Head = {
    height: 0,
    hash,
    header,
    // The root over one leaf is that leaf.
    mmrRoot: leafHash(hash),
    commit: undefined,
    earliestHeight: 1,
    syncing: false
  }
  const none = (): never => {
    throw networkError('UNAVAILABLE', 'an observer keeps no blocks and no votes')
  }
  return { head: () => head, readBlocks: none, readVotes: async () => none() }
}
