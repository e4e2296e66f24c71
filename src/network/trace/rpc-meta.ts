import type { ControlMeta, RpcMeta } from '../../trace/event.ts'
import type { RawControl, RawMessage, RawRpc } from './router.ts'

const NONE: readonly never[] = []

/** What an RPC says, without its payloads. A copy: gossipsub adds to RPCs that it sends to several peers. */
export function rpcMeta(
  { messages = NONE, subscriptions = NONE, control }: RawRpc,
  messageId: (message: RawMessage) => Uint8Array
): RpcMeta {
  return {
    messages: messages.map((message) => ({ messageId: messageId(message), topic: message.topic })),
    subscriptions: subscriptions.map(({ subscribe = false, topic = '' }) => ({ subscribe, topic })),
    control: control === undefined ? undefined : controlMeta(control)
  }
}

function controlMeta(control: RawControl): ControlMeta {
  const { ihave = NONE, iwant = NONE, graft = NONE, prune = NONE, idontwant = NONE } = control
  return {
    ihave: ihave.map(({ topicID = '', messageIDs = NONE }) => ({ topic: topicID, messageIds: [...messageIDs] })),
    iwant: iwant.map(({ messageIDs = NONE }) => ({ messageIds: [...messageIDs] })),
    graft: graft.map(({ topicID = '' }) => ({ topic: topicID })),
    prune: prune.map(({ topicID = '', peers = NONE }) => ({
      topic: topicID,
      peers: peers.flatMap(({ peerID }) => peerID ?? [])
    })),
    idontwant: idontwant.map(({ messageIDs = NONE }) => ({ messageIds: [...messageIDs] }))
  }
}
