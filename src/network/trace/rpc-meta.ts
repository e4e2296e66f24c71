import type { ControlMeta, RpcMeta } from '../../trace/event.ts'
import type { RawControl, RawMessage, RawRpc } from './router.ts'

const NONE: readonly never[] = []

/** The RPC as it is now: one that is sent to several peers gets more control messages on its way. */
export function unchanging(rpc: RawRpc): RawRpc {
  const { messages = NONE, subscriptions = NONE, control } = rpc
  if (control === undefined) return { messages, subscriptions }
  const { ihave = NONE, iwant = NONE, graft = NONE, prune = NONE, idontwant = NONE } = control
  return { messages, subscriptions, control: { ihave, iwant, graft: [...graft], prune: [...prune], idontwant } }
}

/** What an RPC says, without its payloads. */
export function rpcMeta(
  { messages = NONE, subscriptions = NONE, control }: RawRpc,
  messageId: (message: RawMessage) => Uint8Array
): RpcMeta {
  return {
    messages: each(messages, (message) => ({ messageId: messageId(message), topic: message.topic })),
    subscriptions: each(subscriptions, ({ subscribe = false, topic = '' }) => ({ subscribe, topic })),
    control: control === undefined ? undefined : controlMeta(control)
  }
}

function controlMeta({
  ihave = NONE,
  iwant = NONE,
  graft = NONE,
  prune = NONE,
  idontwant = NONE
}: RawControl): ControlMeta {
  return {
    ihave: each(ihave, ({ topicID = '', messageIDs = NONE }) => ({ topic: topicID, messageIds: [...messageIDs] })),
    iwant: each(iwant, messageIds),
    graft: each(graft, ({ topicID = '' }) => ({ topic: topicID })),
    prune: each(prune, ({ topicID = '', peers = NONE }) => ({
      topic: topicID,
      peers: peers.flatMap(({ peerID }) => peerID ?? [])
    })),
    idontwant: each(idontwant, messageIds)
  }
}

function messageIds({ messageIDs = NONE }: { readonly messageIDs?: readonly Uint8Array[] }) {
  return { messageIds: [...messageIDs] }
}

/** Most of these lists are empty. */
function each<T, U>(items: readonly T[], make: (item: T) => U): readonly U[] {
  return items.length === 0 ? NONE : items.map(make)
}
