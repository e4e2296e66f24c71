/** Any event that a trace can hold. */
import fc from 'fast-check'
import type { RpcMeta, TraceEvent, TraceType } from '../../../src/trace/event.ts'
import { TRACE_TYPES } from '../../../src/trace/event.ts'

const bytes = (maxLength = 40) => fc.uint8Array({ maxLength }).map((array) => new Uint8Array(array))
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom('/moloch/1/blocks', '<&>\u2028"\\\n')
)
const topic = text
const some = <Item>(item: fc.Arbitrary<Item>, maxLength = 4) => fc.array(item, { maxLength })
// Lengths of more than one byte, of ids and of lists, are of interest too.
const messageId = fc.oneof({ weight: 9, arbitrary: bytes() }, { weight: 1, arbitrary: bytes(400) })
const messageIds = some(messageId)
const peer = bytes()

const meta: fc.Arbitrary<RpcMeta> = fc.record({
  messages: some(fc.record({ messageId, topic })),
  subscriptions: some(fc.record({ subscribe: fc.boolean(), topic })),
  control: fc.option(
    fc.record({
      ihave: some(fc.record({ topic, messageIds })),
      iwant: some(fc.record({ messageIds })),
      graft: some(fc.record({ topic })),
      prune: some(fc.record({ topic, peers: some(peer) })),
      idontwant: some(fc.record({ messageIds }))
    }),
    { nil: undefined }
  )
})

// JSON has no −0.
const score = fc.double().map((value) => (value === 0 ? 0 : value))
const message = { messageId, topic, receivedFrom: peer }

const bodies: { readonly [Type in TraceType]: object } = {
  PUBLISH_MESSAGE: { messageId, topic },
  REJECT_MESSAGE: { ...message, reason: text },
  DUPLICATE_MESSAGE: message,
  DELIVER_MESSAGE: message,
  ON_NEW_OUTBOUND_STREAM: { peer, protocol: text },
  ON_CLOSED_OUTBOUND_STREAM: { peer },
  RECV_RPC: { peer, meta },
  SEND_RPC: { peer, meta },
  DROP_RPC: { peer, meta },
  JOIN: { topic },
  LEAVE: { topic },
  GRAFT: { peer, topic },
  PRUNE: { peer, topic },
  SCORES: { scores: some(fc.record({ peer, score })) },
  LOST: { count: fc.oneof(fc.maxSafeNat(), fc.constantFrom(0, 1, 2 ** 32, Number.MAX_SAFE_INTEGER)) }
}

// protons-runtime makes another number of −2⁶³, which is 292 years before 1970.
export const timestamp = fc.oneof(
  fc.bigInt({ min: 1n - 2n ** 63n, max: 2n ** 63n - 1n }),
  fc.constantFrom(0n, 1n, -1n, 2n ** 53n + 1n, 1_764_000_000_123_456_789n, 2n ** 63n - 1n, 1n - 2n ** 63n)
)

export function traceEventOf(type: TraceType): fc.Arbitrary<TraceEvent> {
  const fields = { type: fc.constant(type), peerId: peer, timestamp, ...bodies[type] }
  return fc.record(fields) as unknown as fc.Arbitrary<TraceEvent>
}

export const TYPES = Object.keys(TRACE_TYPES) as TraceType[]

export const traceEvent: fc.Arbitrary<TraceEvent> = fc.constantFrom(...TYPES).chain(traceEventOf)
