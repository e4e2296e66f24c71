import type { Connection } from '@libp2p/interface'
import type { Peer } from './peer.ts'

/** An older connection that has answered so recently is not asked again: who has the key could make us ask for ever. */
const ANSWER_COUNTS_MS = 5000

export interface InstancesOptions {
  /**
   * Asks whoever is at the other end for any answer, for a bounded time, and says that another process shows its peer id.
   * Never throws.
   */
  readonly answers: (connection: Connection, other: string) => Promise<boolean>
  /** Another process shows the peer id of one that answers. */
  readonly onCopy: (peer: Peer, first: Connection, second: Connection) => void
  /** Monotonic ms. */
  readonly now: () => number
}

/**
 * Which process is at the other end of a peer's connections. Each run of a node has an instance of its own, so a second one
 * under the same peer id is either the first after a restart, and then the older connection is dead, or another node with
 * a copy of the key. The older connection is asked: as long as it answers it is kept and the newer one turned away. Taking
 * the newer one each time would make two copies push each other out for ever.
 */
export class Instances {
  readonly #options: InstancesOptions
  readonly #asked = new WeakMap<Connection, Promise<boolean>>()
  readonly #answeredAt = new WeakMap<Connection, number>()
  readonly #copies = new WeakSet<Connection>()

  constructor(options: InstancesOptions) {
    this.#options = options
  }

  /**
   * A Hello or an Ack has passed on the connection.
   * @param instance '' : it says nothing of it
   * @returns false: it is of another process than one that answers under the same peer id
   */
  async admit(peer: Peer, connection: Connection, instance: string): Promise<boolean> {
    for (;;) {
      if (this.#copies.has(connection)) return false
      const older = instance === '' ? [] : othersOf(peer, connection, instance)
      if (older.length === 0) break
      const answered = await Promise.all(older.map((one) => this.#answers(one, instance)))
      const first = older.find((one, index) => answered[index] && one.status === 'open')
      for (const one of older) {
        if (answered[older.indexOf(one)]) continue
        peer.greeted.delete(one)
        one.abort(new Error('another process has taken its place'))
      }
      if (first === undefined || this.#copies.has(connection)) continue
      this.#copies.add(connection)
      this.#options.onCopy(peer, first, connection)
    }
    // With nothing awaited since they were looked at.
    if (connection.status === 'open') peer.greeted.set(connection, instance)
    return true
  }

  async #answers(connection: Connection, other: string): Promise<boolean> {
    const { answers, now } = this.#options
    const at = this.#answeredAt.get(connection)
    if (at !== undefined && now() - at < ANSWER_COUNTS_MS) return true
    const asked = this.#asked.get(connection) ?? answers(connection, other)
    this.#asked.set(connection, asked)
    const answered = await asked
    this.#asked.delete(connection)
    if (answered) this.#answeredAt.set(connection, now())
    return answered
  }
}

/** Open connections of the peer to another process. */
function othersOf(peer: Peer, connection: Connection, instance: string): Connection[] {
  return [...peer.greeted].flatMap(([one, of]) =>
    one !== connection && one.status === 'open' && of !== '' && of !== instance ? [one] : []
  )
}
