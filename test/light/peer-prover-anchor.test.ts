import { afterEach, expect, test, vi } from 'vitest'
import { statusOf } from '../../src/api/problem.ts'
import { Proof } from '../../src/codec/generated/sync.ts'
import { MolochError } from '../../src/error.ts'
import { ANSWER_MS } from '../../src/light/answer-time.ts'
import { PeerPauses } from '../../src/light/peer-pauses.ts'
import { PeerProver, type PeerProverPorts } from '../../src/light/peer-prover.ts'
import { silentLog } from '../../src/log.ts'
import { Quotas } from '../../src/network/limits.ts'
import { DEFAULT_SETTINGS } from '../../src/network/settings.ts'
import { ServedChain } from './support/served-chain.ts'

const served = new ServedChain(12)
const TIP = 12
const request = { event: { eventId: served.eventId(5, 1), anchorHeight: 0 } }

function proverWith(ports: Partial<PeerProverPorts>): { prover: PeerProver; blamed: string[] } {
  const blamed: string[] = []
  const prover = new PeerProver({
    genesis: served.genesis,
    log: silentLog,
    pauses: new PeerPauses(),
    holders: () => ['a'],
    penalise: (peer, code) => blamed.push(`${peer} ${code}`),
    getProof: async (_, asked) => Proof.decode(await served.getProof(asked)),
    tipHeight: () => TIP,
    headerAt: async (height) => served.anchor(height),
    ...ports
  })
  return { prover, blamed }
}

/** A full node as far as its quota goes: an answer takes 20 ms, and a second peer that is like it has its own. */
function fullNode() {
  const quotas = new Quotas({ proof: DEFAULT_SETTINGS.quotas.proof }, () => performance.now())
  const seen = { floods: 0, refusals: 0, answers: 0 }
  const getProof: PeerProverPorts['getProof'] = async (peer, asked) => {
    const entry = quotas.enter(peer, 'proof')
    if (!entry.ok) {
      seen.refusals += 1
      if (entry.flood) seen.floods += 1
      throw new MolochError('RATE_LIMITED', 'too much of proof', { retryAfterMs: Math.ceil(entry.retryAfterMs) })
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
    entry.leave()
    seen.answers += 1
    return Proof.decode(await served.getProof(asked))
  }
  return { seen, getProof }
}

afterEach(() => {
  vi.useRealTimers()
})

test('a trusted header that is long in coming is not the fault of the peer whose proof waits for it', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  const { prover, blamed } = proverWith({
    headerAt: (height) => new Promise((resolve) => setTimeout(() => resolve(served.anchor(height)), 2 * ANSWER_MS)),
    // As a stream does: it fails when it is aborted, also after the answer.
    getProof: async (_, asked, options) => {
      const proof = Proof.decode(await served.getProof(asked))
      const { signal } = options ?? {}
      return new Promise((resolve, reject) => {
        signal?.addEventListener('abort', () => reject(new Error('aborted')))
        setTimeout(() => resolve(proof), 10)
      })
    }
  })
  const wrong = { ...served.anchor(5), hash: new Uint8Array(32) }
  const proven = prover.prove(request)
  await vi.advanceTimersByTimeAsync(3 * ANSWER_MS)
  expect((await proven).event?.header?.height).toBe(5)
  expect(blamed).toEqual([])

  // One that does not hold against it is blamed for that, and for no timeout.
  const late = proverWith({
    headerAt: () => new Promise((resolve) => setTimeout(() => resolve(wrong), 2 * ANSWER_MS))
  })
  const refused = expect(late.prover.prove(request)).rejects.toThrow('no peer')
  await vi.advanceTimersByTimeAsync(3 * ANSWER_MS)
  await refused
  expect(late.blamed).toHaveLength(1)
  expect(late.blamed[0]).not.toContain('PEER_TIMEOUT')
})

test('whoever gives up a question ends the look-up of the header that it waits for', async () => {
  const giveUp = new AbortController()
  const { prover, blamed } = proverWith({
    headerAt: (_, signal) =>
      new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => reject(new Error('given up')))
        giveUp.abort()
      })
  })
  await expect(prover.prove(request, giveUp.signal)).rejects.toThrow('given up')
  expect(blamed).toEqual([])
})

test('many questions at once to one full node are all answered, as it grants them', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  const { getProof, seen } = fullNode()
  const { prover } = proverWith({ getProof })
  const all = Promise.all(Array.from({ length: 100 }, () => prover.prove(request)))
  await vi.advanceTimersByTimeAsync(10_000)
  expect(await all).toHaveLength(100)
  expect(seen.floods).toBe(0)
})

test('endless look-ups of what no peer has are no flood to them, and all come to an end', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  const { getProof, seen } = fullNode()
  const { prover, blamed } = proverWith({ getProof, holders: () => ['a', 'b'] })
  const codes: string[] = []
  for (let second = 0; second < 30; second++) {
    for (let i = 0; i < 40; i++) {
      const unknown = { event: { eventId: new Uint8Array(32).fill(i), anchorHeight: 0 } }
      prover.prove(unknown).catch((error: MolochError) => codes.push(error.code))
    }
    await vi.advanceTimersByTimeAsync(1000)
  }
  await vi.advanceTimersByTimeAsync(30_000)
  expect(codes).toHaveLength(30 * 40)
  expect(seen.floods).toBe(0)
  expect(new Set(codes)).toEqual(new Set(['UNKNOWN_EVENT', 'BUSY', 'RATE_LIMITED']))
  expect(codes.map(statusOf).every((status) => status === 404 || status === 503)).toBe(true)
  // Most of what two peers grant is used.
  expect(seen.answers).toBeGreaterThan(30 * 2 * 8)
  expect(new Set(blamed.map((each) => each.split(' ')[1]))).toEqual(new Set(['UNKNOWN_EVENT', 'RATE_LIMITED']))
  expect(statusOf('NOT_READY')).toBe(503)
  expect(statusOf('PEER_UNSUPPORTED')).toBe(503)
})
