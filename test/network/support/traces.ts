import { createHash } from 'node:crypto'
import type { Stream } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { scope } from '../../../src/chain/genesis.ts'
import type { Libp2pNetwork } from '../../../src/network/node.ts'
import { topicId } from '../../../src/network/topics.ts'
import type { Topic } from '../../../src/network/types.ts'
import type { TraceEvent, TraceType } from '../../../src/trace/event.ts'
import { chain, type NodeOptions, node, type TestNode } from './nodes.ts'

export type EventOf<T extends TraceType> = TraceEvent & { readonly type: T }

/** What a test asks of gossipsub's class that its interface has not. */
export interface RouterInside {
  readonly streamsOutbound: Map<string, { rawStream: Stream }>
  getMeshPeers(topic: string): string[]
  sendRpc(peer: string, rpc: object): boolean
}

export interface TracedNode extends TestNode {
  readonly events: TraceEvent[]
}

/** A started node that keeps its trace, each event as soon as it happens unless the settings say otherwise. */
export async function traced(options: NodeOptions = {}): Promise<TracedNode> {
  const events: TraceEvent[] = []
  const started = await node({
    trace: (event) => events.push(event),
    ...options,
    settings: { traceBatchMs: 0, ...options.settings }
  })
  return { ...started, events }
}

export function of<T extends TraceType>(node: TracedNode, type: T): EventOf<T>[] {
  return node.events.filter((event): event is EventOf<T> => event.type === type)
}

/** Messages in all RPCs of the type. */
export function messagesIn(node: TracedNode, type: 'RECV_RPC' | 'SEND_RPC' | 'DROP_RPC'): number {
  return of(node, type).reduce((sum, { meta }) => sum + meta.messages.length, 0)
}

export function inside(of: TestNode): RouterInside {
  const { host } = of.network as Libp2pNetwork
  if (host === undefined) throw new Error('not started')
  return host.services.pubsub as unknown as RouterInside
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

/** The raw multihash of a node's id, as hex. */
export function rawId(of: TestNode | string): string {
  return hex(peerIdFromString(typeof of === 'string' ? of : of.network.peerId).toMultihash().bytes)
}

/** The value with all bytes in it as hex. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return hex(value)
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, plain(field)]))
}

export function id(topic: Topic): string {
  return topicId(scope(chain().genesis), topic)
}

export function idOf(topic: Topic, payload: Uint8Array): string {
  return createHash('sha256').update(id(topic)).update(payload).digest('hex')
}

/** Its mesh for votes. */
export function meshOf(of: TestNode): string[] {
  return inside(of).getMeshPeers(id('vote'))
}
