import { getOrMake } from './get-or-make.ts'

/** What the traces said of one message at one node. Times are ns after the first record of all. */
export interface AtNode {
  published: boolean
  /** Whether it was found good here and of no use: it came all the same. */
  ignored: boolean
  /** The first PUBLISH or DELIVER here. */
  hadAt: number | undefined
  /** The first DELIVER that came from another node. */
  deliveredAt: number | undefined
  duplicates: number
  firstDuplicateAt: number | undefined
  /** Peers that an IWANT went to. */
  asked: Set<string> | undefined
  /** In IWANTs sent: this message's id, each time. */
  askedIds: number
  came: boolean
  cameFirst: boolean
}

/** One message while its records still come in. */
export class Message {
  readonly mentionedAt: number
  topic: string | undefined
  publishedAt: number | undefined
  sightedAt: number | undefined
  firstSighter: string | undefined
  /** Nodes subscribed when it was first seen. */
  expected: ReadonlySet<string> | undefined
  readonly nodes = new Map<string, AtNode>()

  constructor(mentionedAt: number) {
    this.mentionedAt = mentionedAt
  }

  at(node: string): AtNode {
    return getOrMake(this.nodes, node, () => ({
      published: false,
      ignored: false,
      hadAt: undefined,
      deliveredAt: undefined,
      duplicates: 0,
      firstDuplicateAt: undefined,
      asked: undefined,
      askedIds: 0,
      came: false,
      cameFirst: false
    }))
  }

  sighted(node: string, time: number): void {
    if (this.sightedAt !== undefined && this.sightedAt <= time) return
    this.sightedAt = time
    this.firstSighter = node
  }
}

/** The messages of the last `horizon` ns, by id; older ones are handed to `finish`, oldest first. */
export class InFlight {
  readonly #messages = new Map<string, Message>()
  /** Ids by age from `#head` on: a Map that loses its first entries again and again is slow to find its first. */
  #ids: string[] = []
  #head = 0
  readonly #horizon: number
  readonly #finish: (message: Message) => void

  constructor(horizon: number, finish: (message: Message) => void) {
    this.#horizon = horizon
    this.#finish = finish
  }

  get size(): number {
    return this.#messages.size
  }

  get(id: string, clock: number): Message {
    let message = this.#messages.get(id)
    if (message === undefined) {
      message = new Message(clock)
      this.#messages.set(id, message)
      this.#ids.push(id)
    }
    return message
  }

  /** Finishes what was first mentioned more than the horizon before `clock`. */
  advance(clock: number): void {
    while (this.#head < this.#ids.length) {
      const id = this.#ids[this.#head] as string
      const message = this.#messages.get(id) as Message
      if (clock - message.mentionedAt <= this.#horizon) break
      this.#messages.delete(id)
      this.#head++
      this.#finish(message)
    }
    if (this.#head <= 1024 || this.#head * 2 < this.#ids.length) return
    this.#ids = this.#ids.slice(this.#head)
    this.#head = 0
  }
}
