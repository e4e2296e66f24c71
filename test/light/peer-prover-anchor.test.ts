import { afterEach, expect, test, vi } from 'vitest'
import { Proof } from '../../src/codec/generated/sync.ts'
import { ANSWER_MS } from '../../src/light/answer-time.ts'
import { PeerProver, type PeerProverPorts } from '../../src/light/peer-prover.ts'
import { silentLog } from '../../src/log.ts'
import { ServedChain } from './support/served-chain.ts'

const served = new ServedChain(12)
const TIP = 12
const request = { event: { eventId: served.eventId(5, 1), anchorHeight: 0 } }

function proverWith(ports: Partial<PeerProverPorts>): { prover: PeerProver; blamed: string[] } {
  const blamed: string[] = []
  const prover = new PeerProver({
    genesis: served.genesis,
    log: silentLog,
    holders: () => ['a'],
    penalise: (peer, code) => blamed.push(`${peer} ${code}`),
    getProof: async (_, asked) => Proof.decode(await served.getProof(asked)),
    tipHeight: () => TIP,
    headerAt: async (height) => served.anchor(height),
    ...ports
  })
  return { prover, blamed }
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
