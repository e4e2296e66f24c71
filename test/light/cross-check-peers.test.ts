import { afterEach, beforeEach, expect, it, onTestFinished, vi } from 'vitest'
import { failure } from '../../src/chain/failures.ts'
import { equalBytes } from '../../src/codec/bytes.ts'
import { MolochError } from '../../src/error.ts'
import { ANSWER_MS } from '../../src/light/answer-time.ts'
import { CROSS_CHECK_PEERS, CrossCheck, type CrossCheckPorts } from '../../src/light/cross-check.ts'
import { remade } from '../support/trusted-headers.ts'
import { type Behaviour, Peers, refuse, silence } from './support/peers.ts'
import { ServedChain } from './support/served-chain.ts'

type Bytes = Uint8Array<ArrayBuffer>

const served = new ServedChain(10, { eventsPerBlock: 0 })
const TIP = served.anchor(9)
const OTHER: Bytes = new Uint8Array(32).fill(7)

beforeEach(() => {
  vi.useFakeTimers()
  // A process that runs is never as old as nothing.
  vi.advanceTimersByTime(1)
})
afterEach(() => void vi.useRealTimers())

/** With a chain that takes a certified header of its tip's height for a conflict, as the real one does. */
function checking(behaviours: Record<string, Behaviour>, ports: Partial<CrossCheckPorts> = {}) {
  const peers = new Peers(served, behaviours)
  const conflicts: string[] = []
  const check = new CrossCheck({
    ...peers,
    genesis: served.genesis,
    tip: () => TIP,
    halted: () => false,
    compare: async (header) => {
      if (!equalBytes(header.hash, TIP.hash)) {
        conflicts.push('conflict')
        throw new MolochError('CONFLICTING_FINALITY', 'two')
      }
      return equalBytes(header.claimedRoot, OTHER) ? failure('BAD_MMR_ROOT', 'another root') : undefined
    },
    ...ports
  })
  onTestFinished(() => check.stop())
  return { check, peers, conflicts }
}

const changed = (changes: Parameters<typeof remade>[2]): Behaviour => ({
  headers: async (start) => ({
    peaks: served.peaks(start),
    headers: [remade(served.chain.maker, served.headers[start - 1] as Uint8Array, changes)]
  })
})

/** All that a comparison does without a timer. */
async function once(check: CrossCheck): Promise<void> {
  void check.soon()
  await vi.advanceTimersByTimeAsync(0)
}

it('two peers that show the tip’s header are enough; others are asked the next time', async () => {
  const { check, peers } = checking({ a: {}, b: {}, c: {}, d: {} })
  await once(check)
  expect(peers.asked).toHaveLength(CROSS_CHECK_PEERS)
  expect(check.last).toMatchObject({ height: TIP.height, peers: ['a', 'b'] })
  await vi.advanceTimersByTimeAsync(10)
  await once(check)
  expect(peers.asked).toEqual(['a', 'b', 'c', 'd'])
  expect(check.last).toMatchObject({ peers: ['c', 'd'] })
  expect(peers.blamed).toEqual([])
})

it('liars are blamed and count for nothing, and more are asked in their place', async () => {
  const { check, peers, conflicts } = checking({
    few: changed({ signers: [0, 1] }),
    root: changed({ mmrRoot: OTHER }),
    lacking: { headers: refuse('UNAVAILABLE') },
    a: {},
    b: {}
  })
  await once(check)
  expect(peers.blamed).toEqual(['few COMMIT_TOO_FEW', 'root BAD_MMR_ROOT', 'lacking UNAVAILABLE'])
  expect(check.last?.peers).toEqual(['a', 'b'])
  expect(conflicts).toEqual([])
})

it('a silent peer is given up in time', async () => {
  const { check, peers } = checking({ silent: { headers: silence }, a: {} })
  void check.soon()
  await vi.advanceTimersByTimeAsync(ANSWER_MS)
  expect(peers.blamed).toEqual(['silent PEER_TIMEOUT'])
  expect(check.last?.peers).toEqual(['a'])
})

it('a certified header that is another is a conflict and nobody’s fault', async () => {
  const { check, peers, conflicts } = checking({ fork: changed({ header: { eventsRoot: OTHER } }), a: {} })
  await once(check)
  expect(conflicts).toEqual(['conflict'])
  expect(peers.blamed).toEqual([])
  // One that a conflict ended is no comparison.
  expect(check.last).toBeUndefined()
})

it('at block 0 and without peers there is nothing to compare', async () => {
  const genesis = checking({ a: {} }, { tip: () => served.anchor(0) })
  await once(genesis.check)
  expect(genesis.peers.asked).toEqual([])
  const alone = checking({})
  await once(alone.check)
  expect(alone.check.last).toBeUndefined()
})

it('it is made again and again, one at a time, and a stop ends the one under way', async () => {
  const { check, peers } = checking({ silent: { headers: silence } })
  check.start(100)
  await vi.advanceTimersByTimeAsync(1000)
  expect(peers.asked).toEqual(['silent'])
  await check.stop()
  expect(vi.getTimerCount()).toBe(0)
  void check.soon()
  await vi.advanceTimersByTimeAsync(1000)
  expect(peers.asked).toEqual(['silent'])
})
