import { node, type TestNode } from '../../network/support/nodes.ts'
import { honestChain, TIP } from './chain.ts'
import { Client, type ClientOptions } from './client.ts'
import { HostilePeer, type Role, type Wanted } from './hostile.ts'
import { ProvingPorts } from './proving.ts'

export interface SceneOptions extends Pick<ClientOptions, 'tuning' | 'settings'> {
  /** Height of the honest peers until the hostile one has struck. */
  readonly honestHeight?: number
  /** They serve what they have before it has struck. */
  readonly honestAtOnce?: boolean
}

/** An honest full peer that serves no block and no header before the hostile one has struck: or it could come too late to be asked. */
class HonestPorts extends ProvingPorts {
  readonly asked: Wanted[] = []
  readonly #struck: Promise<void>

  constructor(height: number, struck: Promise<void>) {
    super(height)
    this.#struck = struck
  }

  override async *readBlocks(start: number, count: number, maxBytes: number): AsyncGenerator<Uint8Array> {
    this.asked.push({ start, count })
    await this.#struck
    yield* super.readBlocks(start, count, maxBytes)
  }

  override async *readHeaders(start: number, count: number): AsyncGenerator<Uint8Array> {
    await this.#struck
    yield* super.readHeaders(start, count)
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
    const { honestHeight = TIP, honestAtOnce = false, tuning, settings } = options
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
    const client = await Client.start(addresses, { tuning, settings })
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
