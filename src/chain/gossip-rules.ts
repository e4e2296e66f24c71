/**
 * How a gossip message is judged (protocol §9), in two steps that see different things. `check` sees the bytes and the
 * genesis: what it refuses every node refuses, whatever its clock, tip and mempool are, so its sender is to blame. `take`
 * sees this node, and for that reason cannot refuse: it only says whether the message goes on. Nothing reaches `take`, and
 * so nothing is forwarded, of which a part was not checked.
 */

/** What gossip does with a message: forward it, drop it silently, drop it and blame who sent it. */
export type Verdict = 'accept' | 'ignore' | 'reject'

/** What a node may say of a message that every node finds well made. */
export type Taken = Exclude<Verdict, 'reject'>

/** A verdict, and which part of the work was for nothing, 0 … 1: what a peer may send of that is bounded. */
export interface Weighed<Said extends Verdict = Verdict> {
  readonly verdict: Said
  readonly waste: number
}

export type Checked<Message> =
  | { readonly ok: true; readonly message: Message }
  | {
      readonly ok: false
      /** Of the first fault. */
      readonly code: string
    }

/**
 * A function of the payload and the genesis alone. What a node knows may spare it the work of finding the answer, and
 * never changes the answer. It throws only for a fault of this node: then nothing is said of the message.
 */
export type MessageCheck<Message> = (payload: Uint8Array) => Checked<Message> | Promise<Checked<Message>>

export interface TopicRules<Message> {
  /** No room for it, or to check it now: it is dropped as it is, nobody is blamed for it, and it is not passed on. */
  readonly isFull?: (payload: Uint8Array, from: string) => boolean
  readonly check: MessageCheck<Message>
  /** Without a weight, what is accepted was worth the work, and what is ignored was not. */
  readonly take: (message: Message, from: string) => Taken | Weighed<Taken> | Promise<Taken | Weighed<Taken>>
  /** Told of what `check` refused. */
  readonly refused?: (code: string, payload: Uint8Array, from: string) => void
}

export async function weigh<Message>(
  { isFull, check, take, refused }: TopicRules<Message>,
  payload: Uint8Array,
  from: string
): Promise<Weighed> {
  if (isFull?.(payload, from) === true) return { verdict: 'ignore', waste: 0 }
  const checked = await check(payload)
  if (checked.ok) {
    const taken = await take(checked.message, from)
    return typeof taken === 'string' ? { verdict: taken, waste: taken === 'accept' ? 0 : 1 } : taken
  }
  refused?.(checked.code, payload, from)
  return { verdict: 'reject', waste: 1 }
}

export function refusal(code: string): { readonly ok: false; readonly code: string } {
  return { ok: false, code }
}
