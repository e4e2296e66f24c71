import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { toHex } from '../../src/codec/bytes.ts'
import { ANSWER_MS } from '../../src/light/answer-time.ts'
import { fetchCheckpoint } from '../../src/light/fetch-checkpoint.ts'
import { remade } from '../support/trusted-headers.ts'
import { type Behaviour, Peers, silence } from './support/peers.ts'
import { ServedChain } from './support/served-chain.ts'

type Bytes = Uint8Array<ArrayBuffer>

const served = new ServedChain(30, { eventsPerBlock: 0 })
const AT = 12
const checkpoint = { height: AT, hash: served.anchor(AT).hash }
const OTHER = new Uint8Array(32).fill(7)

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

interface Where {
  readonly height?: number
  readonly earliest?: number
}

function fetching(behaviours: Record<string, Behaviour & Where>, wanted = checkpoint) {
  const peers = new Peers(served, behaviours)
  const here = new Map<string, Where>(Object.entries(behaviours))
  const list = () => [...here].map(([id, { height = 30, earliest = 1 }]) => ({ id, height, earliest }))
  const ending = new AbortController()
  const found = fetchCheckpoint({ ...peers, genesis: served.genesis, peers: list }, wanted, ending.signal)
  found.catch(() => {})
  return { peers, here, ending, found }
}

const giving = (bytes: Uint8Array): Behaviour => ({
  headers: async (start) => ({ peaks: served.peaks(start), headers: [bytes as Bytes] })
})
const changed = (changes: Parameters<typeof remade>[2]): Behaviour =>
  giving(remade(served.chain.maker, served.headers[AT - 1] as Uint8Array, changes))

it('liars and silent peers are blamed, and keep nobody from the one that gives it', async () => {
  const { peers, found } = fetching({
    silent: { headers: silence },
    few: changed({ signers: [0, 1] }),
    root: changed({ mmrRoot: OTHER }),
    peaks: { headers: async () => ({ peaks: served.peaks(AT - 1), headers: [served.headers[AT - 1] as Bytes] }) },
    height: giving(served.headers[AT] as Uint8Array),
    none: { headers: async () => ({ peaks: [], headers: [] }) },
    honest: {}
  })
  await vi.advanceTimersByTimeAsync(200)
  expect((await found).header.hash).toEqual(checkpoint.hash)
  expect((await found).peaks).toEqual(served.peaks(AT))
  await vi.advanceTimersByTimeAsync(ANSWER_MS)
  expect([...peers.blamed].sort()).toEqual([
    'few COMMIT_TOO_FEW',
    'height BAD_HEIGHT',
    'none UNAVAILABLE',
    'peaks BAD_MMR_ROOT',
    'root BAD_MMR_ROOT',
    // Nobody waits for it any more, and the network lets that pass (verdicts.ts).
    'silent ABORTED'
  ])
})

it('another certified header of that height ends it, whatever others would give', async () => {
  const { found, peers } = fetching({ other: changed({ header: { eventsRoot: OTHER } }), silent: { headers: silence } })
  await vi.advanceTimersByTimeAsync(200)
  await expect(found).rejects.toMatchObject({
    code: 'WRONG_CHECKPOINT',
    message: expect.stringContaining(`expected ${toHex(checkpoint.hash)}, but the validators certified`),
    details: { peer: 'other' }
  })
  expect(peers.blamed.filter((blame) => blame.startsWith('other'))).toEqual([])
})

it('only peers that say they hold it are asked; with none it is unavailable, in time', async () => {
  const { found, peers } = fetching({ low: { height: AT - 1 }, late: { earliest: AT + 1 } })
  await vi.advanceTimersByTimeAsync(11_000)
  await expect(found).rejects.toMatchObject({
    code: 'CHECKPOINT_UNAVAILABLE',
    message: expect.stringMatching(/^no peer shows the checkpoint 12:.* 2 connected, they hold blocks 1 to 30; [^\n]+$/)
  })
  expect(peers.asked).toEqual([])
})

it('silent peers alone are asked again, and given up in time', async () => {
  const { found, peers } = fetching(
    Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`s${i}`, { headers: silence }]))
  )
  await vi.advanceTimersByTimeAsync(11_000)
  await expect(found).rejects.toMatchObject({ code: 'CHECKPOINT_UNAVAILABLE' })
  expect(peers.asked).toHaveLength(40)
  expect(peers.blamed.slice(0, 20).every((blame) => blame.endsWith(' PEER_TIMEOUT'))).toBe(true)
})

it('without peers it is waited for; a peer that comes up to it is asked', async () => {
  const { found, here, peers } = fetching({ a: { height: AT - 1 } })
  here.clear()
  await vi.advanceTimersByTimeAsync(60_000)
  here.set('a', { height: AT - 1 })
  await vi.advanceTimersByTimeAsync(5_000)
  expect(peers.asked).toEqual([])
  here.set('a', { height: AT })
  await vi.advanceTimersByTimeAsync(200)
  expect((await found).header.height).toBe(AT)
})

it('an end of the start ends it', async () => {
  const { found, ending } = fetching({ silent: { headers: silence } })
  await vi.advanceTimersByTimeAsync(200)
  ending.abort()
  await vi.advanceTimersByTimeAsync(200)
  await expect(found).rejects.toMatchObject({ code: 'ABORTED' })
  expect(vi.getTimerCount()).toBe(0)
})
