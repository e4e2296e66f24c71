import { type GossipsubOpts, StrictNoSign } from '@libp2p/gossipsub'

/**
 * How long a message id is remembered. Longer than messages travel and are told of (five heartbeats); shorter than
 * events wait in the outbox before they are offered again, for those bytes would be taken for seen, here and elsewhere.
 */
const SEEN_MS = 10_000

/**
 * Every option of gossipsub that is a decision, also where its default is what we want: a default may change with a
 * version. docs/architecture.md says why each is as it is; a test holds that none is missing there.
 */
export const GOSSIP_PARAMS = {
  globalSignaturePolicy: StrictNoSign,
  asyncValidation: true,
  awaitRpcHandler: true,
  awaitRpcMessageHandler: true,
  emitSelf: false,
  fallbackToFloodsub: false,
  floodPublish: true,
  batchPublish: false,
  allowPublishToZeroTopicPeers: true,
  ignoreDuplicatePublishError: true,
  seenTTL: SEEN_MS,

  doPX: false,
  prunePeers: 0,
  directPeers: [],
  directConnectTicks: 300,
  tagMeshPeers: false,
  runOnLimitedConnection: false,

  D: 6,
  Dlo: 4,
  Dhi: 12,
  Dscore: 4,
  Dout: 2,
  Dlazy: 6,
  gossipFactor: 0.25,
  fanoutTTL: 60_000,
  mcacheLength: 5,
  mcacheGossip: 3,
  gossipsubIWantFollowupMs: 3000,
  pruneBackoff: 60_000,
  unsubcribeBackoff: 10_000,
  graftFloodThreshold: 10_000,
  opportunisticGraftPeers: 2,
  opportunisticGraftTicks: 60,
  idontwantMinDataSize: 16 << 10,
  idontwantMaxMessages: 512,

  scoreThresholds: {
    gossipThreshold: -10,
    publishThreshold: -50,
    graylistThreshold: -80,
    // Nobody tells us whom to dial, whatever its score.
    acceptPXThreshold: Number.POSITIVE_INFINITY,
    opportunisticGraftThreshold: 20
  }
} satisfies Partial<GossipsubOpts>
