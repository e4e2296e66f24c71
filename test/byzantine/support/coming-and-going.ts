import { generateKeyPair } from '@libp2p/crypto/keys'
import type { PrivateKey } from '@libp2p/interface'
import type { Network } from '../../../src/network/types.ts'
import { ChainPorts, node } from '../../network/support/nodes.ts'
import { honestChain, TIP } from './chain.ts'

/** An honest full peer that can go away and come back, under the same id and address. */
export class Guest {
  readonly ports: ChainPorts
  readonly #key: PrivateKey
  readonly #number: number
  #network: Network | undefined
  #address = '/ip4/127.0.0.1/tcp/0'

  private constructor(number: number, key: PrivateKey, ports: ChainPorts) {
    this.#number = number
    this.#key = key
    this.ports = ports
  }

  /** Comes for the first time. */
  static async arrive(number: number, ports = new ChainPorts(TIP, honestChain())): Promise<Guest> {
    const guest = new Guest(number, await generateKeyPair('Ed25519'), ports)
    await guest.come()
    return guest
  }

  get isHere(): boolean {
    return this.#network !== undefined
  }

  /** With its peer id. */
  get address(): string {
    return this.#address
  }

  get peerId(): string {
    return this.#address.slice(this.#address.lastIndexOf('/') + 1)
  }

  async come(): Promise<void> {
    const listen = [this.#address.replace(/\/p2p\/.*/, '')]
    const { genesis } = honestChain()
    const made = await node({ genesis, ports: this.ports, keySeed: this.#number, peerKey: this.#key, listen })
    this.#network = made.network
    this.#address = made.address
  }

  /** Says goodbye and is gone. */
  async leave(): Promise<void> {
    await this.#network?.stop()
    this.#network = undefined
  }

  async dial(address: string): Promise<void> {
    await this.#network?.dial(address)
  }
}

/** Serves as it should, a block at a time with a pause before each. */
export class SlowPorts extends ChainPorts {
  readonly #msABlock: number

  constructor(msABlock: number) {
    super(TIP, honestChain())
    this.#msABlock = msABlock
  }

  override async *readBlocks(start: number, count: number, maxBytes: number): AsyncGenerator<Uint8Array> {
    for await (const block of super.readBlocks(start, count, maxBytes)) {
      await new Promise((resolve) => setTimeout(resolve, this.#msABlock))
      yield block
    }
  }
}
