/** Drivers over a bus in one process: ledger, signer, mempool and verify pool are real, only the network is not. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type CheckedEvent, Outcome, signEvent } from '../../../src/chain/event.ts'
import { createGenesis, type Genesis } from '../../../src/chain/genesis.ts'
import type { Verdict } from '../../../src/chain/gossip-rules.ts'
import { Mempool } from '../../../src/chain/mempool.ts'
import type { Params } from '../../../src/chain/params.ts'
import { toHex } from '../../../src/codec/bytes.ts'
import { GetVotes, RawVotes } from '../../../src/codec/generated/sync.ts'
import { noVotes } from '../../../src/consensus/catch-up.ts'
import { Driver } from '../../../src/consensus/driver.ts'
import { MarkFile } from '../../../src/consensus/mark-file.ts'
import { type Clock, type ConsensusTopic, type PeerStanding, systemClock } from '../../../src/consensus/ports.ts'
import { Signer } from '../../../src/consensus/signer.ts'
import { openSignerStore, type SignerStore, type SignerWrite } from '../../../src/consensus/signer-store.ts'
import { type KeyPair, keyPairFromSeed } from '../../../src/crypto/ed25519.ts'
import { Ledger } from '../../../src/ledger/ledger.ts'
import type { Log } from '../../../src/log.ts'
import { VerifyPool } from '../../../src/verify/pool.ts'
import { mempoolLimits, own } from '../../chain/support/mempool-limits.ts'
import { judge } from '../../support/judge.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { writeFreshMark } from './marks.ts'

/** Quick, yet long enough for a loaded machine to get through a round. */
const QUICK: Partial<Params> = {
  blockIntervalMs: 20,
  emptyBlockIntervalMs: 150,
  timeoutProposeMs: 600,
  timeoutPrevoteMs: 400,
  timeoutPrecommitMs: 400,
  timeoutDeltaMs: 200,
  snapshotInterval: 5
}

export class Network {
  readonly genesis: Genesis
  readonly keys: readonly KeyPair[]
  readonly verifier: VerifyPool
  readonly dir = tempDir()
  readonly nodes: TestNode[] = []
  /** Whether what one sends reaches the other. */
  connects: (from: TestNode, to: TestNode) => boolean = () => true
  /** Sees what a node publishes before any other node does. */
  tap: (from: TestNode, topic: ConsensusTopic, payload: Uint8Array) => void = () => {}
  #events = 0

  constructor(params: Partial<Params> = {}, size = 4, timestamp = Date.now() - 60_000) {
    this.keys = Array.from({ length: size }, (_, i) => keyPairFromSeed(new Uint8Array(32).fill(i + 1)))
    this.genesis = createGenesis({
      chainId: 'rig',
      timestamp,
      validators: this.keys.map(({ publicKey }, i) => ({ name: `v${i}`, publicKey })),
      params: { ...QUICK, ...params }
    })
    this.verifier = new VerifyPool({ genesisJson: this.genesis.json, size: 1 })
    onTestFinished(async () => {
      for (const node of this.nodes) await node.stop()
      await this.verifier.close()
    })
  }

  /** A node that is not started; the first are the validators, then come observers. */
  add(clock?: Clock): TestNode {
    const index = this.nodes.length
    const node = new TestNode(this, index, this.keys[index], clock)
    this.nodes.push(node)
    return node
  }

  async start(count = this.keys.length): Promise<TestNode[]> {
    const nodes = Array.from({ length: count }, () => this.add())
    for (const node of nodes) await node.start()
    return nodes
  }

  event(timestamp = Date.now()): CheckedEvent {
    const id = `commit-${this.#events++}`
    return signEvent(this.genesis.hash, this.keys[0] as KeyPair, {
      timestamp,
      action: 'push',
      resource: { kind: 'repo', id },
      outcome: Outcome.SUCCESS,
      metadata: []
    })
  }

  /** To the mempools of all running nodes, as the events topic would bring them. */
  submit(...events: CheckedEvent[]): void {
    for (const node of this.nodes) node.submit(...events)
  }
}

export class TestNode {
  readonly name: string
  readonly key: KeyPair | undefined
  readonly index: number
  readonly mempool: Mempool
  readonly clock: Clock
  readonly infos: string[] = []
  readonly warnings: string[] = []
  readonly errors: string[] = []
  readonly published: { topic: ConsensusTopic; payload: Uint8Array }[] = []
  readonly penalties: string[] = []
  readonly requests: GetVotes[] = []
  /** What the signer writes with; a test may hold it up. */
  write: (store: SignerStore, writes: readonly SignerWrite[]) => Promise<void> = (store, writes) => store.write(writes)
  /** Answers in the place of the other nodes. */
  answer: ((request: GetVotes, peer: string) => Promise<RawVotes>) | undefined
  /** Peers while it listens, who have nothing to say; by name the index of the validator that each is. */
  readonly silent = new Map<string, number>()
  /** Peers that are no validators, for whom `answer` speaks. */
  readonly strangers: string[] = []
  /** Whether it holds the last two windows. */
  maySign = true
  ledger!: Ledger
  driver!: Driver
  running = false
  readonly #network: Network
  readonly #readers = new Map<ConsensusTopic, (payload: Uint8Array, from: string) => Promise<Verdict>>()
  #signer: Signer | undefined

  constructor(network: Network, index: number, key: KeyPair | undefined, clock: Clock = systemClock) {
    this.#network = network
    this.index = index
    this.key = key
    this.name = `n${index}`
    this.clock = clock
    this.mempool = new Mempool(mempoolLimits({ maxEvents: 20_000 }))
  }

  get tip(): { height: number; hash: string } {
    const { height, hash } = this.ledger.tip
    return { height, hash: toHex(hash) }
  }

  async start(): Promise<void> {
    const { genesis, dir, verifier } = this.#network
    const log = this.#log()
    const home = join(dir, this.name)
    this.ledger = await Ledger.open({ path: join(home, 'chain'), genesis, log })
    if (this.key !== undefined) {
      const path = join(home, 'signer')
      const markPath = join(home, 'validator.mark')
      if (!existsSync(path)) writeFreshMark(markPath, this.key.publicKey, genesis.hash)
      const store = await openSignerStore(path)
      const options = { path, markPath, key: this.key, genesisHash: genesis.hash }
      const mark = new MarkFile(markPath)
      this.#signer = await Signer.over({ ...store, write: (writes) => this.write(store, writes) }, mark, options)
    }
    this.driver = new Driver({
      ledger: this.ledger,
      verifier,
      mempool: this.mempool,
      gossip: {
        publish: (topic, payload) => this.#publish(topic, payload),
        subscribe: (topic, rules) => {
          this.#readers.set(topic, (payload, from) => judge(rules, payload, from))
          return () => this.#readers.delete(topic)
        }
      },
      peers: {
        peers: () => [...this.#silentOnes(), ...this.strangers, ...this.#others().map(({ name }) => name)],
        standing: (peer) => this.#standing(peer),
        getVotes: (peer, request) => this.#ask(peer, request),
        penalise: (_, code) => this.penalties.push(code)
      },
      proven: () =>
        this.#others().flatMap(({ key, clock }) => {
          if (key === undefined) return []
          const reading = { at: this.clock.monotonic(), unix: clock.now(), errorMs: 1 }
          return [{ chainKey: toHex(key.publicKey), clock: reading }]
        }),
      signer: this.#signer,
      maySign: () => this.maySign,
      log,
      clock: this.clock
    })
    this.running = true
    this.driver.start()
    // It first lets the signer settle.
    while (this.driver.position === undefined) await new Promise(setImmediate)
    for (const peer of this.#others()) peer.driver.peerReady(this.name)
  }

  /** Like a crash for everybody else; what is being written is waited for, since the folder is opened again. */
  async stop(): Promise<void> {
    if (!this.running) return
    this.running = false
    await this.driver.stop()
    await this.#signer?.close()
    this.#signer = undefined
    await this.ledger.close()
  }

  submit(...events: CheckedEvent[]): void {
    if (!this.running) return
    for (const event of events) this.mempool.add(event, own())
    this.driver.mempoolChanged()
  }

  /** A gossip message from somebody. */
  async gossip(topic: ConsensusTopic, payload: Uint8Array, from = 'someone'): Promise<Verdict | undefined> {
    return this.#readers.get(topic)?.(payload, from)
  }

  /** Resolves when this node has finalized `height`. */
  reaches(height: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.ledger.tip.height >= height) return resolve()
      const remove = this.ledger.on('finalized', ({ block }) => {
        if (block.height < height) return
        remove()
        resolve()
      })
    })
  }

  #others(): TestNode[] {
    const { nodes, connects } = this.#network
    return nodes.filter((node) => node !== this && node.running && connects(this, node) && connects(node, this))
  }

  #silentOnes(): Iterable<string> {
    const reason = this.driver.abstention?.reason
    return reason === 'listening' || reason === 'genesis-time' ? this.silent.keys() : []
  }

  #standing(name: string): PeerStanding | undefined {
    const silent = this.silent.get(name)
    if (silent !== undefined) return { validator: silent, height: this.ledger.tip.height }
    const peer = this.#others().find((node) => node.name === name)
    return peer && { validator: peer.key === undefined ? -1 : peer.index, height: peer.ledger.tip.height }
  }

  async #publish(topic: ConsensusTopic, payload: Uint8Array): Promise<number> {
    this.published.push({ topic, payload })
    this.#network.tap(this, topic, payload)
    const others = this.#others()
    for (const node of others) {
      setImmediate(() => {
        if (!node.running) return
        // As the network does: a check that could not be made says nothing of the message.
        node.gossip(topic, new Uint8Array(payload), this.name).catch(() => {})
      })
    }
    return others.length
  }

  async #ask(name: string, request: GetVotes): Promise<RawVotes> {
    if (this.silent.has(name)) return noVotes()
    this.requests.push(request)
    if (this.answer !== undefined) return this.answer(request, name)
    const peer = this.#others().find((node) => node.name === name)
    if (peer === undefined) throw new Error('gone')
    const asked = GetVotes.decode(GetVotes.encode(request))
    return RawVotes.decode(RawVotes.encode(await peer.driver.readVotes(asked)))
  }

  #log(): Log {
    return {
      debug: () => {},
      info: (_, message) => this.infos.push(message),
      warn: (_, message) => this.warnings.push(message),
      error: (_, message) => this.errors.push(message)
    }
  }
}
