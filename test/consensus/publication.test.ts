/** Who publishes a final block, when its proposer does not: real drivers, and any order of what happens, by property. */
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { checkFinalized } from '../../src/chain/check-block.ts'
import { createGenesis } from '../../src/chain/genesis.ts'
import { toHex } from '../../src/codec/bytes.ts'
import type { RawVotes } from '../../src/codec/generated/sync.ts'
import { noVotes } from '../../src/consensus/catch-up.ts'
import { FINALIZED_RANK_DELAY_MS } from '../../src/consensus/pace.ts'
import { HEIGHTS_WAITING, Publication } from '../../src/consensus/publication.ts'
import { keyPairFromSeed } from '../../src/crypto/ed25519.ts'
import type { BuiltBlock } from '../../src/ledger/ledger.ts'
import { runs } from '../support/runs.ts'
import { waitFor } from '../support/until.ts'
import { Lab } from './support/lab.ts'
import { ManualClock } from './support/manual-clock.ts'

vi.setConfig({ testTimeout: 60_000 })
const PATIENCE = { timeout: 20_000, interval: 5 }

const params = {
  blockIntervalMs: 1000,
  emptyBlockIntervalMs: 5000,
  timeoutProposeMs: 1000,
  timeoutPrevoteMs: 500,
  timeoutPrecommitMs: 500,
  timeoutDeltaMs: 250
}

class Room {
  readonly lab: Lab
  readonly clock: ManualClock
  #time = Date.now()

  private constructor(lab: Lab, clock: ManualClock) {
    this.lab = lab
    this.clock = clock
  }

  static async start(self: number): Promise<Room> {
    const clock = new ManualClock()
    return new Room(await Lab.start({ params, self, clock }), clock)
  }

  async propose(): Promise<BuiltBlock> {
    const { node } = this.lab
    const block = this.lab.build(0, [], this.#time++)
    await node.gossip('block', this.lab.newBlock(block))
    return block
  }

  /** The node decides it by votes, and waits for somebody to publish it. */
  async decide(rank: number): Promise<BuiltBlock> {
    const block = await this.propose()
    await this.vote(block, rank)
    return block
  }

  async vote(block: BuiltBlock, rank: number): Promise<void> {
    const { node } = this.lab
    for (const validator of [0, 1, 2]) await node.gossip('vote', this.lab.precommit(validator, block))
    await node.reaches(block.header.height)
    // Set once the block is final and what is to be published has been read from disk.
    await waitFor(() => expect(this.clock.waits).toContain(rank * FINALIZED_RANK_DELAY_MS), PATIENCE)
  }

  /** Heights that the node has published, in that order. */
  get published(): number[] {
    const { node, network } = this.lab
    return node.published.flatMap(({ topic, payload }) => {
      if (topic !== 'finalized') return []
      const result = checkFinalized(network.genesis, payload)
      if (!result.ok) throw new Error(`published what is refused: ${result.failure.code}`)
      return [result.block.height]
    })
  }
}

describe('a decided block', () => {
  it('is published by a validator of rank 2 after twice the delay, unless somebody has', async () => {
    const publishedBy = async (others: 'silent' | 'false' | 'publish'): Promise<number[]> => {
      const room = await Room.start(3)
      const { lab, clock } = room
      const block = await room.decide(2)
      await clock.pass(2 * FINALIZED_RANK_DELAY_MS - 1)
      expect(room.published).toEqual([])
      const message = lab.finalized(block)
      if (others === 'false') message[message.length - 1]! ^= 1
      const verdict = others === 'false' ? 'reject' : 'accept'
      if (others !== 'silent') expect(await lab.node.gossip('finalized', message)).toBe(verdict)
      await clock.pass(1)
      return room.published
    }
    expect(await publishedBy('silent')).toEqual([1])
    expect(await publishedBy('publish')).toEqual([])
    // A false commit for the right block would keep the true one from those who need it.
    expect(await publishedBy('false')).toEqual([1])
  })

  it('is published though the next is decided, and published, before its time', async () => {
    const room = await Room.start(3)
    const { lab, clock } = room
    await room.decide(2)
    await clock.pass(FINALIZED_RANK_DELAY_MS)
    const next = await room.decide(1)
    await clock.pass(FINALIZED_RANK_DELAY_MS - 1)
    expect(room.published).toEqual([])
    expect(await lab.node.gossip('finalized', lab.finalized(next))).toBe('accept')
    await clock.pass(1)
    expect(room.published).toEqual([1])
    await clock.pass(10 * FINALIZED_RANK_DELAY_MS)
    expect(room.published).toEqual([1])
  })

  it('is published though consensus paused before its time, and not by a node that ends', async () => {
    const room = await Room.start(3)
    const { lab, clock } = room
    await room.decide(2)
    lab.node.driver.pause()
    await clock.pass(2 * FINALIZED_RANK_DELAY_MS)
    expect(room.published).toEqual([1])
    const ended = await Room.start(3)
    await ended.decide(2)
    await ended.lab.node.driver.stop()
    await ended.clock.pass(2 * FINALIZED_RANK_DELAY_MS)
    expect(ended.published).toEqual([])
  })

  it('that came as an answer is not published by that: whoever has it still does, and passes the first copy on', async () => {
    const room = await Room.start(3)
    const { lab, clock } = room
    const { node } = lab
    const answers: ((answer: RawVotes) => void)[] = []
    node.answer = () => new Promise((resolve) => answers.push(resolve))
    node.driver.peerReady('somebody')
    expect(answers).toHaveLength(1)
    const block = await room.decide(2)
    answers[0]?.({ ...noVotes(), finalized: lab.finalized(block) as RawVotes['finalized'] })
    await clock.pass(2 * FINALIZED_RANK_DELAY_MS)
    expect(room.published).toEqual([1])
    expect(await node.gossip('finalized', lab.finalized(block, [0, 1, 3]))).toBe('accept')
    expect(await node.gossip('finalized', lab.finalized(block, [1, 2, 3]))).toBe('ignore')
    expect(node.penalties).toEqual([])
  })
})

it('in any order of deciding, hearing and waiting each block is published once, unless somebody did before', async () => {
  const SIZE = 10
  const genesis = createGenesis({
    chainId: 'publication',
    timestamp: 1,
    validators: Array.from({ length: SIZE }, (_, i) => {
      return { name: `v${i}`, publicKey: keyPairFromSeed(new Uint8Array(32).fill(i + 1)).publicKey }
    })
  })
  const hashOf = (height: number): Uint8Array => new Uint8Array(32).fill(height)
  const step = fc.oneof(
    fc.record({ type: fc.constant('decide' as const), proposer: fc.nat(SIZE - 1) }),
    // Of the heights below the last decided one, or of the next.
    fc.record({ type: fc.constant('seen' as const), back: fc.integer({ min: -1, max: 5 }), other: fc.boolean() }),
    fc.record({ type: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 2 * FINALIZED_RANK_DELAY_MS }) })
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const clock = new ManualClock()
      const published = new Map<string, number>()
      const publication = new Publication(genesis, clock, ({ finalized }) => {
        published.set(toHex(finalized), clock.monotonic())
        expect(seen.has(toHex(finalized))).toBe(false)
      })
      const seen = new Set<string>()
      const due = new Map<string, number>()
      let height = 0
      for (const step of steps) {
        if (step.type === 'pass') await clock.pass(step.ms)
        else if (step.type === 'seen') {
          const at = height - step.back
          if (at < 1) continue
          publication.seen(at, step.other ? new Uint8Array(32).fill(0xff) : hashOf(at))
          if (!step.other && !published.has(toHex(hashOf(at)))) seen.add(toHex(hashOf(at)))
        } else {
          const hash = hashOf(++height)
          const rank = (SIZE - step.proposer) % SIZE
          if (rank === 0) seen.delete(toHex(hash))
          due.set(toHex(hash), clock.monotonic() + rank * FINALIZED_RANK_DELAY_MS)
          publication.decided(0, { height, hash, proposer: step.proposer }, { finalized: hash, header: hash })
        }
        expect(clock.waits.length).toBeLessThanOrEqual(HEIGHTS_WAITING)
      }
      await clock.pass(SIZE * FINALIZED_RANK_DELAY_MS)
      for (const [hash, at] of due) {
        expect(published.has(hash)).toBe(!seen.has(hash))
        expect(published.get(hash) ?? at).toBeLessThanOrEqual(at)
      }
    }),
    runs(100)
  )
})
