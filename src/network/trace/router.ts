/**
 * What the trace wraps of gossipsub's class. Most of it is not in the package's interface, so all of it is looked at before
 * anything is wrapped: another version may have moved it.
 */
import type { TopicValidatorResult } from '@libp2p/gossipsub'
import type { PeerId } from '@libp2p/interface'

export interface RawMessage {
  readonly topic: string
  readonly data?: Uint8Array
}

export interface RawRpc {
  readonly subscriptions?: readonly { readonly subscribe?: boolean; readonly topic?: string }[]
  readonly messages?: readonly RawMessage[]
  readonly control?: RawControl
}

export interface RawControl {
  readonly ihave?: readonly { readonly topicID?: string; readonly messageIDs?: readonly Uint8Array[] }[]
  readonly iwant?: readonly { readonly messageIDs?: readonly Uint8Array[] }[]
  readonly graft?: readonly { readonly topicID?: string }[]
  readonly prune?: readonly { readonly topicID?: string; readonly peers?: readonly { peerID?: Uint8Array }[] }[]
  readonly idontwant?: readonly { readonly messageIDs?: readonly Uint8Array[] }[]
}

/** What gossipsub itself makes of a message that it has received. */
export type Checked =
  | { readonly code: 'valid'; readonly messageId: { readonly msgId: Uint8Array; readonly msgIdStr: string } }
  | { readonly code: 'duplicate' }
  | { readonly code: 'invalid'; readonly reason: string; readonly error?: string }

export interface TracedRouter {
  readonly opts: { readonly asyncValidation: boolean }
  readonly allowedTopics: ReadonlySet<string> | null
  readonly subscriptions: ReadonlySet<string>
  readonly peers: ReadonlyMap<string, PeerId>
  readonly mesh: Map<string, Set<string>>
  readonly streamsOutbound: Map<string, { readonly protocol: string }>
  readonly mcache: { put(id: { readonly msgId: Uint8Array }, message: RawMessage, validated?: boolean): boolean }
  msgIdFn(message: { readonly topic: string; readonly data: Uint8Array }): Uint8Array | Promise<Uint8Array>
  handleReceivedRpc(from: PeerId, rpc: RawRpc): Promise<void>
  acceptFrom(peer: string): boolean
  validateReceivedMessage(from: PeerId, message: RawMessage): Promise<Checked>
  reportMessageValidationResult(id: string, from: string, verdict: TopicValidatorResult): void
  sendRpc(peer: string, rpc: RawRpc): boolean
  sendRpcInBatch(peers: Set<string>, rpc: RawRpc): void
  join(topic: string): void
  leave(topic: string): void
  getScore(peer: string): number
  isStarted(): boolean
}

const KNOWN_VERSION = '@libp2p/gossipsub 17.1.1'

const METHODS = [
  'msgIdFn',
  'handleReceivedRpc',
  'acceptFrom',
  'validateReceivedMessage',
  'reportMessageValidationResult',
  'sendRpc',
  'sendRpcInBatch',
  'join',
  'leave',
  'getScore',
  'isStarted'
] as const

/** @throws TypeError if the router is not as the version is that the trace was made for */
export function assertTraceable(service: object): TracedRouter {
  const router = service as TracedRouter
  const missing: string[] = METHODS.filter((name) => typeof router[name] !== 'function')
  for (const name of ['peers', 'mesh', 'streamsOutbound'] as const) {
    if (!(router[name] instanceof Map)) missing.push(name)
  }
  if (!(router.subscriptions instanceof Set)) missing.push('subscriptions')
  if (!(router.allowedTopics instanceof Set || router.allowedTopics === null)) missing.push('allowedTopics')
  if (typeof router.mcache?.put !== 'function') missing.push('mcache.put')
  // Without it gossipsub forwards what nobody has given a verdict on, and there would be no deliveries to see.
  if (router.opts?.asyncValidation !== true) missing.push('opts.asyncValidation')
  if (missing.length === 0) return router
  throw new TypeError(`gossip cannot be traced: gossipsub has no ${missing.join(', ')}; expected is ${KNOWN_VERSION}`)
}
