import type { TraceEvent } from '../../../src/trace/event.ts'

/**
 * The definitions of GossipStats word for word, over an array of all records and as slowly as that goes. `id` below is a
 * life of a message: its id, and which time it was mentioned anew after the horizon.
 */
type Of<Type extends TraceEvent['type'], Event = TraceEvent> = Event extends { readonly type: infer Types }
  ? Type extends Types
    ? Event
    : never
  : never
type Delivery = Of<'DELIVER_MESSAGE'>
type MessageEvent = Of<'PUBLISH_MESSAGE' | 'DELIVER_MESSAGE' | 'REJECT_MESSAGE'>

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const isMessage = (e: TraceEvent): e is MessageEvent => 'messageId' in e
const own = (e: MessageEvent) =>
  e.type === 'PUBLISH_MESSAGE' || (e.type === 'DELIVER_MESSAGE' && hex(e.receivedFrom) === hex(e.peerId))
const brought = (e: MessageEvent): e is Delivery => e.type === 'DELIVER_MESSAGE' && !own(e)
const share = (a: number, b: number) => (b === 0 ? null : a / b)
const sum = (ns: readonly number[]) => ns.reduce((a, b) => a + b, 0)

export function quantized(value: number): number {
  const bits = value.toString(2)
  return Number.parseInt(bits.slice(0, 11).padEnd(bits.length, '0'), 2)
}

export function distribution(samples: readonly number[], unit: number) {
  const sorted = samples.map(quantized).sort((a, b) => a - b)
  const at = (hundredths: number) => share(sorted[Math.ceil((hundredths * sorted.length) / 100) - 1] ?? 0, unit)
  const n = samples.length
  if (n === 0) return { count: 0, mean: null, p50: null, p90: null, p99: null, max: null }
  return {
    count: n,
    mean: sum(samples) / n / unit,
    p50: at(50),
    p90: at(90),
    p99: at(99),
    max: Math.max(...samples) / unit
  }
}

export function delays(samples: readonly number[]) {
  const sorted = samples.map(quantized).sort((a, b) => a - b)
  const points = Math.min(200, samples.length)
  const cdf = Array.from({ length: points }, (_, i) => ({
    delay_ms: (sorted[Math.ceil(((i + 1) * sorted.length) / points) - 1] as number) / 1e6,
    share: (i + 1) / points
  }))
  return { ...distribution(samples, 1e6), cdf }
}

/** Each record's clock: ns after the first record, or the latest before it. */
function clocks(events: readonly TraceEvent[]): number[] {
  const times = events.map((e) => Number(e.timestamp - (events[0] as TraceEvent).timestamp))
  return times.map((_, i) => Math.max(...times.slice(0, i + 1)))
}

interface Life {
  readonly topic: string | undefined
  readonly from: number
  readonly records: MessageEvent[]
  /** IWANTs for it, with the position in the trace. */
  readonly asks: { readonly at: number; readonly node: string; readonly peer: string }[]
}

interface Mention {
  readonly id: string
  readonly at: number
  readonly event: TraceEvent
  readonly announced: string | undefined
  readonly ask: boolean
}

function lives(events: readonly TraceEvent[], horizon: number): Life[] {
  const clock = clocks(events)
  const mentions = events.flatMap((event, at): Mention[] => {
    if (isMessage(event)) return [{ id: hex(event.messageId), at, event, announced: undefined, ask: false }]
    const control = 'meta' in event ? event.meta.control : undefined
    const ihave = event.type === 'RECV_RPC' ? (control?.ihave ?? []) : []
    const iwant = event.type === 'SEND_RPC' ? (control?.iwant ?? []) : []
    return [
      ...ihave.flatMap((i) => i.messageIds.map((id) => ({ id: hex(id), at, event, announced: i.topic, ask: false }))),
      ...iwant.flatMap((i) => i.messageIds.map((id) => ({ id: hex(id), at, event, announced: undefined, ask: true })))
    ]
  })
  const out: Life[] = []
  for (const id of new Set(mentions.map((m) => m.id))) {
    let rest = mentions.filter((m) => m.id === id)
    while (rest.length > 0) {
      const born = clock[rest[0]?.at ?? 0] as number
      const mine = rest.filter((m) => (clock[m.at] as number) - born <= horizon)
      rest = rest.slice(mine.length)
      const records = mine.map((m) => m.event).filter(isMessage)
      out.push({
        topic: records[0]?.topic ?? mine.find((m) => m.announced !== undefined)?.announced,
        from: mine.find((m) => isMessage(m.event))?.at ?? -1,
        records,
        asks: mine
          .filter((m) => m.ask)
          .map((m) => ({ at: m.at, node: hex(m.event.peerId), peer: hex((m.event as Of<'SEND_RPC'>).peer) }))
      })
    }
  }
  return out
}

/** The nodes subscribed after the records up to position `last`. */
function subscribed(events: readonly TraceEvent[], last: number, topic: string): string[] {
  const before = events.slice(0, last + 1).filter((e) => 'topic' in e && e.topic === topic)
  return [...new Set(before.map((e) => hex(e.peerId)))].filter((node) => {
    const its = before.filter((e) => hex(e.peerId) === node)
    const told = its.filter((e) => e.type === 'JOIN' || e.type === 'LEAVE')
    const implied = (e: TraceEvent) =>
      e.type === 'GRAFT' || e.type === 'PRUNE' || e.type === 'DUPLICATE_MESSAGE' || (isMessage(e) && brought(e))
    return told.length > 0 ? told.at(-1)?.type === 'JOIN' : its.some(implied)
  })
}

function arrived({ had, records }: { had: MessageEvent | undefined; records: readonly MessageEvent[] }): boolean {
  return had !== undefined || records.some((r) => r.type === 'REJECT_MESSAGE' && r.reason === 'validation ignored')
}

/** The measures of a topic, or of all with undefined, apart from who delivered first. */
export function scopeOracle(events: readonly TraceEvent[], topic: string | undefined, horizon: number) {
  const all = events.filter((e) => topic === undefined || ('topic' in e && e.topic === topic))
  const of = lives(events, horizon).filter((life) => topic === undefined || life.topic === topic)
  const order = new Map(events.map((e, i) => [e, i]))
  const perNode = of.flatMap((life) => {
    const nodes = [...new Set([...life.records.map((r) => hex(r.peerId)), ...life.asks.map((a) => a.node)])]
    return nodes.map((node) => {
      const records = life.records.filter((r) => hex(r.peerId) === node)
      const had = records.find((r) => own(r) || r.type === 'DELIVER_MESSAGE')
      const asks = life.asks.filter((a) => a.node === node)
      const answers = records.filter(
        (r) =>
          'receivedFrom' in r && asks.some((a) => a.at < (order.get(r) as number) && a.peer === hex(r.receivedFrom))
      )
      return { life, node, records, had, asks, answers }
    })
  })
  const having = perNode.filter((p) => p.had !== undefined)
  const copies = having.map((p) => p.records.filter((r) => r.type === 'DUPLICATE_MESSAGE'))
  const first = having.flatMap((p, i) => {
    const copy = copies[i]?.[0]
    return copy === undefined ? [] : [Math.max(0, Number(copy.timestamp - (p.had as MessageEvent).timestamp))]
  })
  const raw = having.flatMap(({ life, records }) => {
    const delivery = records.find(brought)
    if (delivery === undefined || records.some(own)) return []
    const earliest = (list: MessageEvent[]) => list.toSorted((a, b) => Number(a.timestamp - b.timestamp))[0]
    const publish = earliest(life.records.filter(own))
    const sighting = earliest(life.records) as MessageEvent
    if (
      publish === undefined &&
      hex(sighting.peerId) === hex(delivery.peerId) &&
      sighting.timestamp === delivery.timestamp
    )
      return []
    return [{ publish: publish !== undefined, ns: Number(delivery.timestamp - (publish ?? sighting).timestamp) }]
  })
  const messages = of.filter((life) => life.records.some((r) => own(r) || r.type === 'DELIVER_MESSAGE'))
  const expected = messages.map((m) => subscribed(events, m.from, (m.records[0] as MessageEvent).topic))
  const got = messages.map((m, i) =>
    (expected[i] as string[]).filter((node) => perNode.some((p) => p.life === m && p.node === node && arrived(p)))
  )
  const times = events.map((e) => e.timestamp).sort((a, b) => (a < b ? -1 : 1))
  const span = Number((times.at(-1) as bigint) - (times[0] as bigint))
  const count = (type: TraceEvent['type']) => all.filter((e) => e.type === type).length
  const perMinute = share((count('GRAFT') + count('PRUNE')) * 60e9, span)
  const rejects = all.filter((e) => e.type === 'REJECT_MESSAGE')
  const ihaves = events.flatMap((e) => (e.type === 'RECV_RPC' ? (e.meta.control?.ihave ?? []) : []))
  const asked = perNode.filter((p) => p.asks.length > 0)
  const values = [...new Set(copies.map((c) => c.length))].sort((a, b) => a - b)
  return {
    messages: messages.length,
    published: count('PUBLISH_MESSAGE'),
    delivered: all.filter((e) => isMessage(e) && brought(e)).length,
    duplicates: count('DUPLICATE_MESSAGE'),
    rejected: rejects.length,
    rejected_by_reason: Object.fromEntries(
      [...new Set(rejects.map((r) => r.reason))].map((reason) => [
        reason,
        rejects.filter((r) => r.reason === reason).length
      ])
    ),
    duplicates_per_message: {
      ...distribution(
        copies.map((c) => c.length),
        1
      ),
      values: values.map((n) => ({ duplicates: n, messages: copies.filter((c) => c.length === n).length }))
    },
    time_to_first_duplicate: delays(first),
    propagation_delay: {
      ...delays(raw.map(({ ns }) => Math.max(0, ns))),
      from_publish: raw.filter((r) => r.publish).length,
      from_first_sighting: raw.filter((r) => !r.publish).length,
      negative: raw.filter((r) => r.ns < 0).length
    },
    delivery: {
      expected: sum(expected.map((e) => e.length)),
      had: sum(got.map((g) => g.length)),
      ratio: share(sum(got.map((g) => g.length)), sum(expected.map((e) => e.length)))
    },
    mesh_churn: {
      grafts: count('GRAFT'),
      prunes: count('PRUNE'),
      per_minute: perMinute,
      per_node_minute: perMinute === null ? null : perMinute / new Set(events.map((e) => hex(e.peerId))).size
    },
    gossip_yield: {
      ihave_ids: sum(ihaves.filter((i) => topic === undefined || i.topic === topic).map((i) => i.messageIds.length)),
      iwant_ids: sum(asked.map((p) => p.asks.length)),
      asked: asked.length,
      came: asked.filter((p) => p.answers.length > 0).length,
      came_first: asked.filter((p) => p.answers.some((r) => r.type === 'DELIVER_MESSAGE')).length,
      yield: share(asked.filter((p) => p.answers.length > 0).length, asked.length)
    }
  }
}

/** Deliveries of all, by node and peer. */
export function firstDeliverersOracle(events: readonly TraceEvent[], topic: string | undefined): Map<string, number> {
  const out = new Map<string, number>()
  for (const e of events) {
    if (!isMessage(e) || !brought(e) || (topic !== undefined && e.topic !== topic)) continue
    const pair = `${hex(e.peerId)} ${hex(e.receivedFrom)}`
    out.set(pair, (out.get(pair) ?? 0) + 1)
  }
  return out
}

/** Mesh degrees on the grid, replayed from the beginning for every sample. */
export function meshOracle(events: readonly TraceEvent[], topic: string, limit: number) {
  const clock = clocks(events)
  const end = clock.at(-1) as number
  let step = 1e9
  while (Math.floor(end / step) + 1 > limit) step *= 2
  const samples = []
  for (let at = 0; at <= end; at += step) {
    const last = clock.findLastIndex((time) => time <= at)
    const nodes = subscribed(events, last, topic)
    const degrees = nodes.map((node) => {
      let mesh: string[] = []
      const away = new Map<string, number>()
      for (const [i, e] of events.slice(0, last + 1).entries()) {
        if (hex(e.peerId) !== node) continue
        // Back with a stream, in the meshes it was in if that took no longer than to replace one.
        if (e.type === 'GRAFT' || e.type === 'ON_NEW_OUTBOUND_STREAM') {
          const since = away.get(hex(e.peer))
          away.delete(hex(e.peer))
          if (since !== undefined && (clock[i] as number) - since > 10e9) mesh = mesh.filter((p) => p !== hex(e.peer))
        }
        if (e.type === 'GRAFT' && e.topic === topic) mesh = [...new Set([...mesh, hex(e.peer)])]
        if (e.type === 'PRUNE' && e.topic === topic) mesh = mesh.filter((p) => p !== hex(e.peer))
        if (e.type === 'ON_CLOSED_OUTBOUND_STREAM' && !away.has(hex(e.peer))) away.set(hex(e.peer), clock[i] as number)
        if ((e.type === 'LEAVE' || e.type === 'JOIN') && e.topic === topic) mesh = []
      }
      return mesh.filter((p) => !away.has(p)).length
    })
    if (nodes.length === 0) continue
    const mean = sum(degrees) / nodes.length
    samples.push({ at_ms: at / 1e6, nodes: nodes.length, mean, min: Math.min(...degrees), max: Math.max(...degrees) })
  }
  return { mean: share(sum(samples.map((s) => s.mean)), samples.length), step_ms: step / 1e6, samples }
}
