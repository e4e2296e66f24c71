import type { PeerId } from '@libp2p/interface'
import { MemoryDatastore } from 'datastore-core/memory'
import type { Key } from 'interface-datastore'

/**
 * libp2p's peer store, in memory and bounded. It writes a row for each peer that opens a stream or says who it is, and
 * forgets none: against peers that come under ever new ids. The row that was used longest ago goes; never our own.
 */
export class PeerMemory extends MemoryDatastore {
  readonly #max: number
  readonly #own: string
  /** Of others, in the order of their last use. */
  readonly #keys = new Map<string, Key>()

  /** @param max rows; more than there can be connections, or libp2p would forget who is there */
  constructor(max: number, self: PeerId) {
    super()
    this.#max = max
    this.#own = `/peers/${self.toCID()}`
  }

  override put(key: Key, value: Uint8Array): Key {
    this.#used(key)
    for (const [name, oldest] of this.#keys) {
      if (this.#keys.size <= this.#max) break
      this.#keys.delete(name)
      super.delete(oldest)
    }
    return super.put(key, value) as Key
  }

  override get(key: Key): Uint8Array {
    const value = super.get(key) as Uint8Array
    this.#used(key)
    return value
  }

  override delete(key: Key): void {
    this.#keys.delete(key.toString())
    super.delete(key)
  }

  #used(key: Key): void {
    const name = key.toString()
    if (name === this.#own) return
    this.#keys.delete(name)
    this.#keys.set(name, key)
  }
}
