import { TOPICS, topicId } from './topics.ts'

/**
 * gossipsub's score of a topic: an honest peer gains up to 13 points for staying and for being first; one invalid
 * message costs 15, two 60, three 135 (below −80 all of its gossip is ignored), forgotten by half in 100 s.
 * P3 is off: it would punish peers on quiet topics.
 */
const TOPIC_SCORE = {
  topicWeight: 1,
  timeInMeshWeight: 0.01,
  timeInMeshQuantum: 1000,
  timeInMeshCap: 300,
  firstMessageDeliveriesWeight: 0.5,
  firstMessageDeliveriesDecay: 0.98,
  firstMessageDeliveriesCap: 20,
  meshMessageDeliveriesWeight: 0,
  meshMessageDeliveriesDecay: 0.5,
  meshMessageDeliveriesCap: 1,
  meshMessageDeliveriesThreshold: 1,
  meshMessageDeliveriesWindow: 10,
  meshMessageDeliveriesActivation: 5000,
  meshFailurePenaltyWeight: 0,
  meshFailurePenaltyDecay: 0.5,
  invalidMessageDeliveriesWeight: -15,
  invalidMessageDeliveriesDecay: 0.993
}

/** @param penaltyPoints our own floors' points of a peer (verdicts.ts) */
export function scoreParams(scope: string, penaltyPoints: (peerId: string) => number) {
  return {
    topics: Object.fromEntries(TOPICS.map((topic) => [topicId(scope, topic), TOPIC_SCORE])),
    // So that no amount of good messages pays for three bad ones.
    topicScoreCap: 30,
    appSpecificScore: (peerId: string) => -penaltyPoints(peerId),
    appSpecificWeight: 1,
    // P6 is off: what strangers do would count against all at their address, validators too, and long after they left. Places
    // and budgets bound what one address can take (places.ts, gater.ts).
    IPColocationFactorWeight: 0,
    // P7: grafting too early, promising messages and not sending them. Some of it happens on bad links.
    behaviourPenaltyWeight: -5,
    behaviourPenaltyThreshold: 6,
    behaviourPenaltyDecay: 0.98,
    decayInterval: 1000,
    decayToZero: 0.01,
    // A bad peer does not come back clean by reconnecting.
    retainScore: 600_000
  }
}
