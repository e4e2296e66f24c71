/**
 * What strangers do, each in a loop until it is called off. A deed is one strike at one victim. They are on their victims'
 * machine, where what they do themselves would be measured as if it were a cost of the victims: so most of their events are
 * signed before (`armed`), and they strike at the pace of a link of some megabits and no faster.
 */
import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { PeerRecord, RecordEnvelope } from '@libp2p/peer-record'
import { multiaddr } from '@multiformats/multiaddr'
import { Outcome, signEvent } from '../../../src/chain/event.ts'
import { type Genesis, scope } from '../../../src/chain/genesis.ts'
import { decodeVote, encodeVote, VoteType } from '../../../src/chain/vote.ts'
import { SignedEvent } from '../../../src/codec/generated/event.ts'
import { Events } from '../../../src/codec/generated/gossip.ts'
import { type KeyPair, keyPairFromSeed } from '../../../src/crypto/ed25519.ts'
import { topicId } from '../../../src/network/topics.ts'
import type { Network } from '../../../src/network/types.ts'
import { stopLater } from '../../network/support/hosts.ts'
import { framed } from './hostile.ts'
import { emptyRpcs, rawRpc, Stranger, type Victim } from './stranger.ts'

export interface Scene {
  readonly genesis: Genesis
  readonly victims: readonly Victim[]
  readonly arms: Arms
  /** Aborted when it is over. */
  readonly over: AbortSignal
  readonly strike: () => void
}

export type Attack = (scene: Scene) => Promise<void>

/** Between two strikes: what a stranger costs is measured, not how fast this process is. */
const PAUSE_MS = 100

async function pause({ over }: Scene, ms = PAUSE_MS): Promise<void> {
  await delay(ms, undefined, { signal: over }).catch(() => undefined)
}

/** Does it again and again with one stranger, and with a new one when nobody talks to that one any more. */
async function persist(scene: Scene, deed: (stranger: Stranger) => Promise<void>): Promise<void> {
  while (!scene.over.aborted) {
    const stranger = await Stranger.arrive(scene.genesis, scene.victims)
    try {
      while (!scene.over.aborted && stranger.isWelcome) {
        await deed(stranger)
        await pause(scene)
      }
    } finally {
      await stranger.leave()
    }
    await pause(scene, 5 * PAUSE_MS)
  }
}

function newKey(): KeyPair {
  return keyPairFromSeed(crypto.getRandomValues(new Uint8Array(32)))
}

/** Hears every vote, whatever it is, and sends it on. */
function hear(network: Network, told: (payload: Uint8Array) => Promise<void>): () => void {
  return network.subscribe('vote', {
    check: (payload) => ({ ok: true, message: payload }),
    take: async (payload: Uint8Array) => {
      await told(payload)
      return 'accept' as const
    }
  })
}

let made = 0

/** Signed beforehand. */
export interface Arms {
  /** Messages of a hundred good events, each once. */
  readonly floods: Iterator<Uint8Array>
  /** Good events, each once. */
  readonly events: Iterator<Uint8Array>
  /** Good events that no block can have any more. */
  readonly old: readonly Uint8Array[]
}

/** @param floods how many messages; when they are through, so is the flood */
export function armed(genesis: Genesis, floods: number): Arms {
  const [own, key] = [newKey(), newKey()]
  const some = (count: number, by = key, timestamp = Date.now()): Uint8Array[] =>
    Array.from({ length: count }, (_, i) => eventOf({ genesis }, by, timestamp - i))
  return {
    floods: Array.from({ length: floods }, (_, i) => message(some(100, i % 2 === 0 ? own : key))).values(),
    events: some(10 * floods).values(),
    old: some(400, key, Date.now() - 2 * genesis.params.eventWindowMs)
  }
}

function eventOf({ genesis }: Pick<Scene, 'genesis'>, key: KeyPair, timestamp: number): Uint8Array {
  const fields = {
    timestamp,
    action: 'stranger',
    resource: { kind: 'flood', id: String(made++) },
    outcome: Outcome.SUCCESS as const,
    metadata: []
  }
  return signEvent(genesis.hash, key, fields).bytes
}

function message(events: readonly Uint8Array[]): Uint8Array {
  return Events.encode({ events: events.map((bytes) => SignedEvent.decode(bytes)) })
}

/** A 1: what validators signed is said again as something else: nil as a block that nobody can have, a block as nil. */
export const twistedVotes: Attack = async (scene) => {
  const zeros = new Uint8Array(32)
  await persist(scene, async (stranger) => {
    const { network } = stranger
    const off = hear(network, async (payload) => {
      const vote = decodeVote(payload)
      const twists =
        vote.blockHash.byteLength === 0
          ? [{ blockHash: zeros }, { type: vote.type === VoteType.PREVOTE ? VoteType.PRECOMMIT : VoteType.PREVOTE }]
          : [{ blockHash: new Uint8Array(0) }, { blockHash: zeros }, { round: vote.round + 1 }]
      for (const twist of twists) {
        if ((await network.publish('vote', encodeVote({ ...vote, ...twist }))) > 0) scene.strike()
      }
    })
    while (!scene.over.aborted && stranger.isWelcome) await pause(scene)
    off()
  })
}

/** A 2: an event that one node does not look at yet, and the next one does; with a false signature. */
export const windowEdge: Attack = async (scene) => {
  const key = newKey()
  const window = scene.genesis.params.eventWindowMs
  const edges = [window + 40, window + 10, window + 120, -window - 5, -window + 5]
  let turn = 0
  await persist(scene, async ({ network }) => {
    const edge = edges[turn++ % edges.length] as number
    const good = Array.from({ length: 20 }, () => scene.arms.events.next().value as Uint8Array).filter(Boolean)
    const bad = SignedEvent.decode(eventOf(scene, key, Date.now() + edge))
    const false_ = SignedEvent.encode({ ...bad, signature: new Uint8Array(64).fill(turn & 255) })
    if ((await network.publish('events', message([false_, ...good]))) > 0) scene.strike()
  })
}

/** A 3: RPCs that are nothing but lists of empty ids, before Hello. */
export const emptyBeforeHello: Attack = async (scene) => {
  const frames = emptyRpcs(4_000_000)
  let turn = 0
  while (!scene.over.aborted) {
    const victim = scene.victims[turn % scene.victims.length] as Victim
    const frame = frames[turn++ % frames.length] as Uint8Array
    await rawRpc(victim, [frame], delay(10 * PAUSE_MS)).then(scene.strike, () => undefined)
    await pause(scene, 3 * PAUSE_MS)
  }
}

/** A 3, of a peer that has passed Hello. */
export const emptyAfterHello: Attack = async (scene) => {
  const frames = emptyRpcs(1_000_000)
  let turn = 0
  await persist(scene, async ({ network }) => {
    const { host } = network
    for (const connection of host?.getConnections() ?? []) {
      const stream = await connection.newStream('/meshsub/1.2.0').catch(() => undefined)
      if (stream === undefined) continue
      const frame = frames[turn++ % frames.length] as Uint8Array
      stream.send(framed(frame))
      scene.strike()
    }
    await pause(scene, 10 * PAUSE_MS)
  })
}

/** A 4: prunes that name third parties. @returns how many connections these saw */
export function thirdParties(): { readonly attack: Attack; readonly connects: () => number } {
  let connects = 0
  const attack: Attack = async (scene) => {
    const server = createServer((socket) => {
      connects += 1
      socket.on('error', () => {})
      socket.destroy()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    stopLater({ stop: () => new Promise((resolve) => server.close(resolve)) })
    const { port } = server.address() as { port: number }
    const places = [`/ip4/127.0.0.1/tcp/${port}`, `/dns4/localhost/tcp/${port}`].map((place) => multiaddr(place))
    const peers = await Promise.all(
      Array.from({ length: 16 }, async () => {
        const key = await generateKeyPair('Ed25519')
        const peerId = peerIdFromPrivateKey(key)
        const envelope = await RecordEnvelope.seal(new PeerRecord({ peerId, multiaddrs: places }), key)
        return { peerID: peerId.toMultihash().bytes, signedPeerRecord: envelope.marshal() }
      })
    )
    const topics = (['events', 'vote', 'block'] as const).map((topic) => topicId(scope(scene.genesis), topic))
    await persist(scene, async ({ network }) => {
      const router = network.host?.services.pubsub as unknown as { sendRpc(peer: string, rpc: object): boolean }
      const prune = topics.map((topicID) => ({ topicID, peers, backoff: 60 }))
      const control = { ihave: [], iwant: [], graft: [], prune, idontwant: [] }
      for (const { peerId } of scene.victims) {
        if (router.sendRpc(peerId, { subscriptions: [], messages: [], control })) scene.strike()
      }
    })
  }
  return { attack, connects: () => connects }
}

/** A 5: what is good and of no use: events outside of the window, and votes of heights that are over. */
export const ofNoUse: Attack = async (scene) => {
  const { old } = scene.arms
  const votes: Uint8Array[] = []
  let turn = 0
  await persist(scene, async ({ network }) => {
    const off = hear(network, async (payload) => {
      if (votes.length < 2000) votes.push(payload.slice())
    })
    while (!scene.over.aborted) {
      // Other bytes each time: the same events in another order are another message.
      const start = (turn * 37) % old.length
      const events = Array.from(
        { length: 50 },
        (_, i) => old[(start + i * (1 + (turn % 7))) % old.length] as Uint8Array
      )
      turn++
      const sent = await Promise.all([
        network.publish('events', message(events)),
        ...votes.slice(0, 20).map((vote) => network.publish('vote', vote))
      ])
      if (sent.some((reached) => reached > 0)) scene.strike()
      else break
      await pause(scene)
    }
    off()
  })
}

/** A 6: sessions that pass Hello and say nothing more, as many as there are places. */
export const idleSessions: Attack = async (scene) => {
  const idle: Stranger[] = []
  try {
    while (!scene.over.aborted && idle.length < 40) {
      idle.push(await Stranger.arrive(scene.genesis, scene.victims))
      scene.strike()
      await pause(scene)
    }
    while (!scene.over.aborted) await pause(scene)
  } finally {
    await Promise.all(idle.map((stranger) => stranger.leave()))
  }
}

/** A 7: valid events, more than a pool holds, from two identities. */
export const validFlood: Attack = async (scene) => {
  const flood = (victims: readonly Victim[]): Promise<void> =>
    persist({ ...scene, victims }, async ({ network }) => {
      const { value, done } = scene.arms.floods.next()
      if (done !== true && (await network.publish('events', value)) > 0) scene.strike()
      await pause(scene)
    })
  await Promise.all([flood(scene.victims.slice(0, 2)), flood(scene.victims.slice(2))])
}
