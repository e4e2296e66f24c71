import '../../../src/polyfill.ts'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Outcome, signEvent } from '../../../src/chain/event.ts'
import { createGenesis, type Genesis } from '../../../src/chain/genesis.ts'
import { keyPairFromSeed } from '../../../src/crypto/ed25519.ts'
import { silentLog } from '../../../src/log.ts'
import { defaultConfig } from '../../../src/node/config/load.ts'
import { createHome } from '../../../src/node/create-home.ts'
import { startNode } from '../../../src/node/node.ts'
import type { RunningNode } from '../../../src/node/running.ts'

const ANY_PORT = '/ip4/127.0.0.1/tcp/0'
const ACTOR = keyPairFromSeed(new Uint8Array(32).fill(99))

/** A small network in this process: some validators and one full node, in homes that outlive its nodes. */
export class SmallNetwork {
  readonly genesis: Genesis
  /** Has genesis.json and the homes. */
  readonly folder: string
  readonly #seeds: Uint8Array[]
  readonly #nodes = new Map<string, RunningNode>()
  readonly #addresses = new Map<string, string>()
  #events = 0

  private constructor(genesis: Genesis, seeds: Uint8Array[]) {
    this.genesis = genesis
    this.folder = mkdtempSync(join(tmpdir(), 'moloch-gossip-'))
    this.#seeds = seeds
    writeFileSync(join(this.folder, 'genesis.json'), genesis.json)
  }

  /** Validators are v1, v2, …; the full node `full` knows them all. */
  static async start(validators: number): Promise<SmallNetwork> {
    const seeds = Array.from({ length: validators }, (_, i) => new Uint8Array(32).fill(i + 1))
    const genesis = createGenesis({
      chainId: 'gossip',
      timestamp: Date.now(),
      validators: seeds.map((seed, i) => ({ name: `v${i + 1}`, publicKey: keyPairFromSeed(seed).publicKey })),
      params: { blockIntervalMs: 100, emptyBlockIntervalMs: 300 }
    })
    const network = new SmallNetwork(genesis, seeds)
    for (const [i] of seeds.entries()) await network.run(`v${i + 1}`)
    await network.run('full')
    return network
  }

  node(name: string): RunningNode {
    return this.#nodes.get(name) as RunningNode
  }

  address(name: string): string {
    return this.#addresses.get(name) as string
  }

  /** Starts it, at the address where it was before if it was. */
  async run(name: string): Promise<RunningNode> {
    const home = join(this.folder, name)
    const known = this.#addresses.get(name)
    const others = [...this.#addresses].filter(([other]) => other !== name).map(([, address]) => address)
    const settings = {
      'p2p.listen': [known?.replace(/\/p2p\/.*/, '') ?? ANY_PORT],
      'p2p.bootstrap': others,
      'api.port': 0
    }
    if (known === undefined) {
      const validator = this.#seeds[Number(name.slice(1)) - 1]
      await createHome({ home, genesis: this.genesis, settings, seeds: { validator }, isNewKey: true })
    }
    const node = await startNode(defaultConfig(home, settings), silentLog)
    this.#nodes.set(name, node)
    this.#addresses.set(name, node.addresses()[0] as string)
    return node
  }

  async halt(name: string): Promise<void> {
    await this.node(name).stop()
    this.#nodes.delete(name)
  }

  /** Hands events to a node. */
  async submit(name: string, count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const { bytes } = signEvent(this.genesis.hash, ACTOR, {
        timestamp: Date.now(),
        action: 'file.write',
        resource: { kind: 'file', id: `f${this.#events++}` },
        outcome: Outcome.SUCCESS,
        metadata: []
      })
      const answer = await fetch(`${this.node(name).apiUrl}/v1/events`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-protobuf' },
        body: bytes
      })
      if (!answer.ok) throw new Error(`not accepted: ${await answer.text()}`)
    }
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#nodes.values()].map((node) => node.stop()))
    rmSync(this.folder, { recursive: true, force: true })
  }
}
