import type { NodeTuning } from '../../../src/node/node.ts'
import { ChainPorts, node, type TestNode } from '../../network/support/nodes.ts'
import { honestChain, TIP } from './chain.ts'
import { Client } from './client.ts'
import { HostilePeer, type Role, type Wanted } from './hostile.ts'

export interface SceneOptions {
  /** Height of the honest peers until the hostile one has struck. */
  readonly honestHeight?: number
  /** They serve what they have before it has struck. */
  readonly honestAtOnce?: boolean
  readonly tuning?: NodeTuning
}

/** An honest full peer that serves no block before the hostile one has struck: or it could come too late to be asked. */
class HonestPorts extends ChainPorts {
  readonly asked: Wanted[] = []
  readonly #struck: Promise<void>

  constructor(height: number, struck: Promise<void>) {
    super(height, honestChain())
    this.#struck = struck
  }

  override async *readBlocks(start: number, count: number, maxBytes: number): AsyncGenerator<Uint8Array> {
    this.asked.push({ start, count })
    await this.#struck
    yield* super.readBlocks(start, count, maxBytes)
  }
}

/** An honest node at genesis, two honest peers that have the chain, and a hostile one. */
export class Scene {
  readonly client: Client
  readonly hostile: HostilePeer
  readonly honest: readonly TestNode[]
  /** Sessions with honest peers that ended before the scene did, and why. */
  readonly lost: string[] = []

  private constructor(client: Client, hostile: HostilePeer, honest: readonly TestNode[]) {
    this.client = client
    this.hostile = hostile
    this.honest = honest
    for (const { network } of honest) {
      network.sessions.on('closed', ({ peerId, reason }) => {
        if (peerId === client.node.peerId) this.lost.push(reason ?? '')
      })
    }
  }

  static async open(role: Role, options: SceneOptions = {}): Promise<Scene> {
    let strike = (): void => {}
    const struck = new Promise<void>((resolve) => {
      strike = resolve
    })
    const { honestHeight = TIP, honestAtOnce = false } = options
    const ports = [1, 2].map(() => new HonestPorts(honestHeight, honestAtOnce ? Promise.resolve() : struck))
    const { genesis } = honestChain()
    const honest = await Promise.all(ports.map((one, i) => node({ genesis, ports: one, keySeed: i + 1 })))
    const hostile = new HostilePeer(strike)
    await hostile.start(role)
    void struck.then(() => {
      for (const { ports: one, network } of honest) {
        one.height = TIP
        network.headChanged()
      }
    })
    const addresses = [...honest, hostile].map(({ address }) => address)
    const client = await Client.start(addresses, options.tuning)
    const { peerId } = client.node
    void role.attack?.(hostile, { peerId, address: client.node.addresses()[0] as string })
    return new Scene(client, hostile, honest)
  }

  /** Heights that the honest peers were asked for. */
  get askedOfHonest(): ReadonlySet<number> {
    const asked = this.honest.flatMap(({ ports }) => (ports as HonestPorts).asked)
    return new Set(asked.flatMap(({ start, count }) => Array.from({ length: count }, (_, i) => start + i)))
  }
}
