/**
 * The principle of protocol §9, over all topics and roles: whether a message is rejected is the same at every node, whatever
 * its clock, tip and mempool are and whatever it has seen, so nobody forwards what another would blame it for.
 */
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { type CheckedEvent, signEvent } from '../../src/chain/event.ts'
import type { TopicRules, Verdict } from '../../src/chain/gossip-rules.ts'
import { Mempool } from '../../src/chain/mempool.ts'
import { signProposal } from '../../src/chain/proposal.ts'
import { VerifiedEvents } from '../../src/chain/verified-events.ts'
import { encodeVote, signVote, VoteType } from '../../src/chain/vote.ts'
import { concatBytes, toHex } from '../../src/codec/bytes.ts'
import { joinBlock, joinEvents, joinNewBlock, splitBlock } from '../../src/codec/raw.ts'
import { Driver } from '../../src/consensus/driver.ts'
import { HeaderIntake } from '../../src/consensus/header-intake.ts'
import type { KeyPair } from '../../src/crypto/ed25519.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { LightChain } from '../../src/light/light-chain.ts'
import { silentLog } from '../../src/log.ts'
import { TOPICS } from '../../src/network/topics.ts'
import type { Topic } from '../../src/network/types.ts'
import { EventIngress } from '../../src/node/ingress.ts'
import { headersPort } from '../../src/node/join-light.ts'
import { Finals } from '../../src/observer/finals.ts'
import { Reader } from '../../src/observer/reader.ts'
import { VerifyPool } from '../../src/verify/pool.ts'
import { mempoolLimits, own } from '../chain/support/mempool-limits.ts'
import { chainInMemory } from '../support/chain-maker.ts'
import { judge } from '../support/judge.ts'
import { Random } from '../support/random.ts'
import { runs } from '../support/runs.ts'
import { tempDir } from '../support/temp-dir.ts'
import { checkedHeader, remade, trustedHeaders } from '../support/trusted-headers.ts'

vi.setConfig({ testTimeout: 120_000 })

const TIP = 6
/** Slow enough for no timeout to come into it. */
const CALM = { blockIntervalMs: 600_000, emptyBlockIntervalMs: 600_000, timeoutProposeMs: 600_000 }
const chain = chainInMemory(TIP, { eventsPerBlock: 2, params: { snapshotInterval: 3, eventWindowMs: 10_000, ...CALM } })
const { genesis, maker, blocks, frames } = chain
const headers = trustedHeaders(chain)
const next = maker.propose()
const W = genesis.params.eventWindowMs
const NOW = maker.nextTimestamp

/** Of all ages, from long gone to far ahead, the edges of the window among them. */
const pool: readonly CheckedEvent[] = [-20, -1, -1.001, 0, 0.5, 1, 1.001, 20].flatMap((age, i) =>
  [0, 1].map((n) =>
    signEvent(genesis.hash, maker.actors[i] as KeyPair, {
      ...(maker.events(1)[0] as CheckedEvent).fields,
      timestamp: Math.round(NOW + age * W) + n
    })
  )
)
const finalEvents = blocks.flatMap(({ blockBytes }) => splitBlock(blockBytes).events)

/** What the well-meaning and the ill-meaning send, made from a seed. */
function message(topic: Topic, seed: number): Uint8Array {
  const random = new Random(seed)
  const made = MAKERS[topic](random)
  return random.below(3) === 0 ? mutated(made, random) : made
}

const MAKERS: Readonly<Record<Topic, (random: Random) => Uint8Array>> = {
  events(random) {
    const count = 1 + random.below(4)
    const pick = (): Uint8Array => (random.below(4) === 0 ? random.pick(finalEvents) : random.pick(pool).bytes)
    const events = Array.from({ length: count }, pick)
    if (random.below(3) === 0) {
      const at = random.below(count)
      events[at] = mutated(events[at] as Uint8Array, random)
    }
    return joinEvents(events)
  },
  vote(random) {
    const height = random.below(TIP + 4)
    const round = random.pick([0, 0, 1, 2, 5, 2000])
    const type = random.pick([VoteType.PREVOTE, VoteType.PRECOMMIT])
    const real = blocks[height - 1]?.hash ?? next.hash
    const blockHash = random.pick([new Uint8Array(0), real, random.bytes(32)])
    return encodeVote(signVote(genesis.hash, random.pick(maker.validators), { type, height, round, blockHash }))
  },
  block(random) {
    const height = 1 + random.below(TIP + 1)
    const { hash, blockBytes } = blocks[height - 1] ?? next
    const round = random.pick([0, 0, 0, 1, 2, 9])
    const validRound = round > 0 ? random.pick([undefined, 0, round - 1, round]) : undefined
    const turn = random.below(5) === 0 ? random.below(4) : genesis.validators.proposer(height, round)
    const slot = { height, round, validRound, blockHash: hash }
    const signature = signProposal(genesis.hash, maker.validators[turn] as KeyPair, slot)
    return joinNewBlock({ round, validRound, block: blockBytes, signature })
  },
  finalized(random) {
    const height = 1 + random.below(TIP + 1)
    if (height > TIP || random.below(4) === 0) return frames[Math.min(height, TIP) - 1] as Uint8Array
    const block = blocks[height - 1] as (typeof blocks)[number]
    const { header, seal, events } = splitBlock(block.blockBytes)
    // Its hash is not over all of it.
    const blockBytes = random.pick([
      block.blockBytes,
      block.blockBytes,
      joinBlock(header, seal, events.slice(1)),
      joinBlock(header, random.bytes(64), events)
    ])
    const signers = random.pick([
      [0, 1, 2],
      [1, 2, 3],
      [0, 1, 2, 3]
    ])
    return maker.finalize({ ...block, blockBytes }, signers, random.below(2))
  },
  header(random) {
    const original = random.pick(headers)
    const root = random.below(4) === 0 ? { mmrRoot: random.bytes(32) as Uint8Array<ArrayBuffer> } : {}
    const signers = random.pick([
      [0, 1, 2],
      [0, 2, 3],
      [0, 1, 2, 3],
      [0, 1],
      [1, 0, 2]
    ])
    return remade(maker, original, { signers, ...root })
  }
}

function mutated(bytes: Uint8Array, random: Random): Uint8Array {
  const copy = new Uint8Array(bytes)
  const at = random.below(copy.length)
  switch (random.below(4)) {
    case 0:
      return copy.subarray(0, at)
    case 1:
      return concatBytes(copy, random.bytes(1 + random.below(3)))
    case 2:
      // The last bytes are a signature's in most of them.
      copy[copy.length - 1] = (copy.at(-1) as number) ^ 1
      return copy
    default:
      copy[at] = (copy[at] as number) ^ (1 << random.below(8))
      return copy
  }
}

/** What a node says of a message, as it would tell gossipsub; nothing, if it has no room for such and drops it unread. */
type Judge = (payload: Uint8Array, from: string) => Promise<Verdict | 'unread'>

function judgeBy<Message>(rules: TopicRules<Message>): Judge {
  return async (payload, from) => (rules.isFull?.(payload, from) === true ? 'unread' : judge(rules, payload, from))
}

/** A node in some state, by the topics that it follows. */
interface Node {
  readonly judges: ReadonlyMap<Topic, Judge>
  readonly close: () => Promise<void>
}

interface State {
  readonly height: number
  /** Of its clock, in windows. */
  readonly ahead: number
  readonly paused: boolean
  /** Which of the pool's events wait. */
  readonly waiting: readonly number[]
  readonly room: number
}

let verifier: VerifyPool
beforeAll(() => {
  verifier = new VerifyPool({ genesisJson: genesis.json, size: 1 })
})
afterAll(() => verifier.close())

async function fullNode({ height, ahead, paused, waiting, room }: State): Promise<Node> {
  const judges = new Map<Topic, Judge>()
  const ledger = await Ledger.open({ path: tempDir(), genesis, log: silentLog })
  await ledger.apply(blocks.slice(0, height))
  const mempool = new Mempool(mempoolLimits({ maxEvents: room }))
  for (const index of waiting) mempool.add(pool[index % pool.length] as CheckedEvent, own())
  const driver = new Driver({
    ledger,
    verifier,
    mempool,
    gossip: {
      publish: async () => 0,
      subscribe(topic, rules) {
        judges.set(topic, judgeBy(rules))
        return () => {}
      }
    },
    peers: {
      peers: () => [],
      standing: () => undefined,
      getVotes: () => Promise.reject(new Error('nobody')),
      penalise: () => {}
    },
    log: silentLog
  })
  driver.start()
  await vi.waitFor(() => expect(driver.position).toBeDefined())
  if (paused) driver.pause()
  const ingress = new EventIngress({
    genesis,
    mempool,
    verified: new VerifiedEvents(genesis.hash, VerifiedEvents.memoryFor(64)),
    checkMessage: (payload, lane) => verifier.checkEvents(payload, lane),
    isFinalized: (id) => ledger.hasRecentEvent(id),
    fateOf: async () => 'unknown',
    save: async () => {},
    offer: () => {},
    added: () => {},
    halt: () => undefined,
    chainTime: () => ({ now: NOW + ahead * W, tip: 0 })
  })
  judges.set('events', judgeBy(ingress.topic))
  return {
    judges,
    async close() {
      await driver.stop()
      await ledger.close()
    }
  }
}

async function lightNode(height: number): Promise<Node> {
  const light = await LightChain.open({ path: tempDir(), genesis, log: silentLog })
  await light.apply(headers.slice(0, height).map((one) => checkedHeader(maker, one)))
  const { rules } = new HeaderIntake({ chain: headersPort(light), behind: () => {} })
  return { judges: new Map([['header', judgeBy(rules)]]), close: () => light.close() }
}

function observer(height: number): Node {
  const finals = new Finals(100)
  finals.certified(height, 0)
  const reader = new Reader({ genesis, finals, validatorAt: () => undefined, show: () => {} })
  const judges = new Map(TOPICS.map((topic) => [topic, judgeBy(reader.rules(topic))]))
  return { judges, close: async () => reader.close() }
}

const height = fc.integer({ min: 0, max: TIP })
const state: fc.Arbitrary<State> = fc.record({
  height,
  ahead: fc.constantFrom(-20, -1, 0, 0, 1, 20),
  paused: fc.boolean(),
  waiting: fc.array(fc.nat(pool.length - 1), { maxLength: 4 }),
  room: fc.constantFrom(4, 100)
})
const said = fc.record({ topic: fc.constantFrom(...TOPICS), seed: fc.nat(2 ** 32 - 1), again: fc.boolean() })

it('a message that one node rejects every node rejects, and none forwards', async () => {
  /** Of each topic, the sets of verdicts that a message got. */
  const seen = new Map<string, number>()
  await fc.assert(
    fc.asyncProperty(
      fc.tuple(state, state, state),
      height,
      height,
      fc.array(said, { minLength: 30, maxLength: 60 }),
      async (states, lightHeight, observedHeight, messages) => {
        const nodes = [
          ...(await Promise.all(states.map(fullNode))),
          await lightNode(lightHeight),
          observer(observedHeight)
        ]
        try {
          for (const { topic, seed, again } of messages) {
            for (let i = 0; i < (again ? 2 : 1); i++) {
              const payload = message(topic, seed)
              const following = nodes.flatMap(({ judges }) => judges.get(topic) ?? [])
              const verdicts = await Promise.all(following.map((judged) => judged(payload, `peer-${seed % 3}`)))
              const kinds = [...new Set(verdicts)].filter((verdict) => verdict !== 'unread').sort()
              const key = `${topic}: ${kinds.join(' or ')}`
              seen.set(key, (seen.get(key) ?? 0) + 1)
              if (kinds.includes('reject')) expect(kinds, `${topic} ${toHex(payload)}`).toEqual(['reject'])
            }
          }
        } finally {
          for (const node of nodes) await node.close()
        }
      }
    ),
    runs(8)
  )
  // It did meet what it is about: of each topic what is rejected, and what is taken here and of no use there.
  for (const topic of TOPICS) {
    expect([...seen.keys()]).toEqual(expect.arrayContaining([`${topic}: reject`, `${topic}: accept or ignore`]))
  }
})
