/**
 * An honest validator of a simulation: the driver and all below it are the real ones, with all that they do when nothing
 * comes. Only disk, network, clock and verify threads are the simulation's.
 */
import { checkFinalized, checkProposed } from '../../../src/chain/check-block.ts'
import { decodeCommit } from '../../../src/chain/commit.ts'
import type { TopicRules } from '../../../src/chain/gossip-rules.ts'
import { Mempool } from '../../../src/chain/mempool.ts'
import { toHex } from '../../../src/codec/bytes.ts'
import type { RawVotes } from '../../../src/codec/generated/sync.ts'
import { Driver } from '../../../src/consensus/driver.ts'
import type { Clock, ConsensusTopic, VerifierPort, VotePeersPort } from '../../../src/consensus/ports.ts'
import { Signer } from '../../../src/consensus/signer.ts'
import { freshMark, type Mark, type MarkState, type MarkStore } from '../../../src/consensus/signer-mark.ts'
import type { SignerStore, SignerWrite } from '../../../src/consensus/signer-store.ts'
import { MolochError } from '../../../src/error.ts'
import type { Log } from '../../../src/log.ts'
import { mempoolLimits } from '../../chain/support/mempool-limits.ts'
import { MemoryMark } from './marks.ts'
import { SimDisk, SimLedger } from './sim-ledger.ts'
import {
  MAX_DOWN_MS,
  type Message,
  type Participant,
  SIM_DISK_MS,
  SIM_EPOCH,
  SIM_THREAD_MS,
  type Simulation
} from './simulation.ts'

/** What an honest validator may say of others at most; anything else is its own fault. */
const ABOUT_OTHERS = /^(v\d+ signed two different|v\d+ proposed the invalid block|a decided block could not be checked)/

export class SimNode implements Participant {
  readonly index: number
  readonly disk: SimDisk
  crashes = 0
  readonly #sim: Simulation
  readonly #skew: number
  readonly #signerDisk = new Map<string, Uint8Array>()
  readonly #mark: MemoryMark
  /** One life, from a start to a crash. */
  #life: Life | undefined

  /** @param offset of its clock, ms */
  constructor(sim: Simulation, index: number, offset = 0) {
    this.#sim = sim
    this.index = index
    this.disk = new SimDisk(sim.genesis)
    this.#mark = new MemoryMark(freshMark(sim.keys[index]!.publicKey, sim.genesis.hash))
    this.#skew = offset + sim.random.below(600) - 300
  }

  get height(): number {
    return this.disk.head.tip.height
  }

  /** Of the height that is being decided. */
  get round(): number {
    return this.#life?.driver.position?.round ?? 0
  }

  /** Whether it runs and signs. */
  get takesPart(): boolean {
    return this.#life !== undefined && this.#life.driver.abstention === undefined
  }

  /** In which it decided, or was told that others had; undefined: it has not. */
  roundOf(height: number): number | undefined {
    const block = this.disk.blocks[height - 1]
    return block && decodeCommit(block.commitBytes).round
  }

  async start(): Promise<void> {
    const { genesis, keys } = this.#sim
    const store = new SimStore(this.#sim, this.#signerDisk)
    const mark = new SimMark(this.#sim, this.#mark, store)
    const options = { path: 'disk', markPath: 'mark', key: keys[this.index]!, genesisHash: genesis.hash }
    const signer = await Signer.over(store, mark, options)
    mark.takesTime = true
    // At whatever moment it died: its own crash is no reason for doubt.
    const doubt = signer.doubt ?? signer.settledDoubt
    if (doubt !== undefined) this.#sim.failures.push(`v${this.index}: ${doubt.message}`)
    this.#life = new Life(this.#sim, this, signer, store, this.#skew)
    this.#life.driver.start()
    this.mayCrash()
  }

  /** Once more, or for the first time. */
  mayCrash(): void {
    const { broken, random, schedule } = this.#sim
    if (broken && random.float() < 0.5) schedule.after(random.below(6000), () => this.#crash())
  }

  receive(message: Message, from: number): void {
    this.#life?.receive(message, from)
  }

  #crash(): void {
    if (!this.#sim.broken || this.#life === undefined) return
    this.crashes++
    this.#life.end()
    this.#life = undefined
    this.#sim.schedule.after(this.#sim.random.below(MAX_DOWN_MS), () => void this.start())
  }
}

/** A mark that a crash may come before. */
class SimMark implements MarkStore {
  takesTime = false
  readonly #sim: Simulation
  readonly #mark: MemoryMark
  readonly #store: SimStore

  constructor(sim: Simulation, mark: MemoryMark, store: SimStore) {
    this.#sim = sim
    this.#mark = mark
    this.#store = store
  }

  read(): Promise<MarkState> {
    return this.#mark.read()
  }

  async write(mark: Mark): Promise<void> {
    if (this.takesTime) await this.#sim.delay(SIM_DISK_MS)
    if (this.#store.isDead) return new Promise(() => {})
    this.#mark.mark = mark
  }

  async close(): Promise<void> {}
}

/** Takes its time for a write; after a crash one that was under way is there or is not. */
class SimStore implements SignerStore {
  readonly #sim: Simulation
  readonly #disk: Map<string, Uint8Array>
  #dead = false

  constructor(sim: Simulation, disk: Map<string, Uint8Array>) {
    this.#sim = sim
    this.#disk = disk
  }

  async entries(): Promise<[string, Uint8Array][]> {
    return [...this.#disk]
  }

  async write(writes: readonly SignerWrite[]): Promise<void> {
    if (!writes.some(({ key }) => key === 'format')) await this.#sim.delay(SIM_DISK_MS)
    if (this.#dead && this.#sim.random.float() < 0.5) return new Promise(() => {})
    for (const write of writes) {
      if (write.type === 'del') this.#disk.delete(write.key)
      else this.#disk.set(write.key, write.value)
    }
    if (this.#dead) return new Promise(() => {})
  }

  async close(): Promise<void> {}

  get isDead(): boolean {
    return this.#dead
  }

  kill(): void {
    this.#dead = true
  }
}

class Life implements Participant {
  readonly driver: Driver
  readonly #sim: Simulation
  readonly #node: SimNode
  readonly #store: SimStore
  readonly #ledger: SimLedger
  readonly #rules = new Map<ConsensusTopic, TopicRules<unknown>>()
  /** Answers that are waited for, by the number of the question. */
  readonly #waiting = new Map<number, (answer: RawVotes) => void>()
  #over = false

  constructor(sim: Simulation, node: SimNode, signer: Signer, store: SimStore, skew: number) {
    this.#sim = sim
    this.#node = node
    this.#store = store
    this.#ledger = new SimLedger(sim, node.disk, (reason) => this.#fail(reason))
    this.driver = new Driver({
      ledger: this.#ledger,
      verifier: this.#verifier(),
      mempool: new Mempool(mempoolLimits()),
      gossip: {
        publish: async (topic, payload) => this.#publish(topic, payload),
        subscribe: (topic, rules) => {
          this.#rules.set(topic, rules as TopicRules<unknown>)
          return () => this.#rules.delete(topic)
        }
      },
      peers: this.#peers(),
      log: this.#log(),
      signer,
      clock: this.#clock(skew)
    })
    this.driver.on('halted', (error) => this.#fail(`halted: ${error.message}`))
    this.driver.on('signer-stopped', (error) => this.#fail(`signer: ${error.message}`))
  }

  end(): void {
    this.#over = true
    this.#store.kill()
    this.#ledger.kill()
    void this.driver.stop()
  }

  receive(message: Message, from: number): void {
    if (this.#over) return
    // A check that could not be made says nothing of the message.
    if (message.kind === 'gossip') this.#judge(message.topic, message.payload, from).catch(() => {})
    else if (message.kind === 'ask') void this.#answer(message, from)
    else this.#waiting.get(message.number)?.(message.answer)
  }

  async #judge(topic: ConsensusTopic, payload: Uint8Array, from: number): Promise<void> {
    const rules = this.#rules.get(topic)
    const checked = await rules?.check(payload)
    if (checked?.ok === true) await rules?.take(checked.message, `v${from}`)
    else if (checked?.ok === false && !this.#sim.isFaulty(from)) this.#fail(`rejects v${from}: ${checked.code}`)
  }

  async #answer({ number, request }: Extract<Message, { kind: 'ask' }>, to: number): Promise<void> {
    const answer = await this.driver.readVotes(request)
    if (!this.#over) this.#sim.send(this.#node.index, to, { kind: 'answer', number, answer })
  }

  #peers(): VotePeersPort {
    const { index } = this.#node
    return {
      peers: () => Array.from({ length: this.#sim.size }, (_, i) => `v${i}`).filter((name) => name !== `v${index}`),
      standing: (peer) => ({ validator: Number(peer.slice(1)), height: this.#sim.heightOf(Number(peer.slice(1))) }),
      getVotes: (peer, request, { signal }) =>
        new Promise((resolve, reject) => {
          const number = this.#sim.questions++
          const end = (): void => void this.#waiting.delete(number)
          this.#waiting.set(number, (answer) => {
            end()
            resolve(answer)
          })
          signal.addEventListener('abort', () => {
            end()
            reject(new Error('no answer'))
          })
          this.#sim.send(index, Number(peer.slice(1)), { kind: 'ask', number, request })
        }),
      penalise: (peer, code) => {
        if (!this.#sim.isFaulty(Number(peer.slice(1)))) this.#fail(`penalises ${peer}: ${code}`)
      }
    }
  }

  #verifier(): VerifierPort {
    const { genesis } = this.#sim
    return {
      checkCertified: async (frame) => {
        await this.#thread()
        return checkFinalized(genesis, frame)
      },
      checkProposed: async (block) => {
        await this.#thread()
        return checkProposed(genesis, block)
      }
    }
  }

  /** Threads take their time, and die at times. */
  async #thread(): Promise<void> {
    await this.#sim.delay(SIM_THREAD_MS)
    if (this.#sim.broken && this.#sim.random.float() < 0.1) throw new MolochError('VERIFY_CRASHED', 'a thread died')
  }

  #clock(skew: number): Clock {
    const { schedule } = this.#sim
    return {
      now: () => SIM_EPOCH + schedule.now + skew,
      monotonic: () => schedule.now,
      after: (ms, run) => {
        let cancelled = false
        schedule.after(ms, () => {
          if (!cancelled && !this.#over) run()
        })
        return () => {
          cancelled = true
        }
      }
    }
  }

  #publish(topic: ConsensusTopic, payload: Uint8Array): number {
    if (this.#over) return 0
    this.#sim.published(this.#node.index, topic, payload)
    return this.#sim.size - 1
  }

  #log(): Log {
    return {
      debug: () => {},
      info: () => {},
      warn: () => {},
      error: (details, message) => {
        if (!this.#over && !ABOUT_OTHERS.test(message)) this.#fail(`${message} ${JSON.stringify(details)}`)
      }
    }
  }

  /** Thrown from within a promise it would be lost. */
  #fail(message: string): void {
    this.#sim.failures.push(`v${this.#node.index} at ${toHex(this.#ledger.tip.hash).slice(0, 4)}: ${message}`)
  }
}
