import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { MolochError } from '../../src/error.ts'
import { ANSWER_MS } from '../../src/light/answer-time.ts'
import { askPeers } from '../../src/light/ask-peers.ts'
import { PeerPauses } from '../../src/light/peer-pauses.ts'
import { silentLog } from '../../src/log.ts'
import { silence } from './support/peers.ts'

type Ask = (signal: AbortSignal) => Promise<string>

function peers(asks: Readonly<Record<string, Ask>>) {
  const asked: string[] = []
  const blamed: string[] = []
  const needs: object[] = []
  const ports = {
    holders: (needed: object) => {
      needs.push(needed)
      return Object.keys(asks)
    },
    penalise: (peer: string, code: string) => {
      blamed.push(`${peer} ${code}`)
    },
    pauses: new PeerPauses(),
    log: silentLog
  }
  const run = (signal?: AbortSignal) =>
    askPeers(
      ports,
      'it',
      { from: 3, to: 7 },
      (peer, ends) => {
        asked.push(peer)
        return (asks[peer] as Ask)(ends)
      },
      signal
    )
  return { asked, blamed, needs, run }
}

const answer =
  (text: string): Ask =>
  async () =>
    text
const fail =
  (code: string): Ask =>
  async () => {
    throw new MolochError(code, `${code}.`)
  }

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

it('those that hold it are asked in their order until one answers; each before it is told what it did', async () => {
  const { asked, blamed, needs, run } = peers({
    a: fail('PROOF_MMR_PATH'),
    b: fail('UNAVAILABLE'),
    c: answer('c'),
    d: answer('d')
  })
  expect(await run()).toBe('c')
  expect(needs).toEqual([{ from: 3, to: 7 }])
  expect(asked).toEqual(['a', 'b', 'c'])
  expect(blamed).toEqual(['a PROOF_MMR_PATH', 'b UNAVAILABLE'])
})

it('no more than eight are asked for one answer', async () => {
  const ids = Array.from({ length: 20 }, (_, i) => `p${i}`)
  const { asked, run } = peers(Object.fromEntries(ids.map((id) => [id, fail('PROOF_MMR_PATH')])))
  await expect(run()).rejects.toMatchObject({
    code: 'NO_ANSWER',
    message: expect.stringContaining('p7: PROOF_MMR_PATH')
  })
  expect(asked).toEqual(ids.slice(0, 8))
})

it.each([
  [['RATE_LIMITED', 'UNKNOWN_EVENT', 'UNAVAILABLE'], 'UNKNOWN_EVENT'],
  [['UNKNOWN_EVENT', 'ANCHOR_TOO_OLD'], 'ANCHOR_TOO_OLD'],
  [['PROOF_WRONG_EVENT', 'PEER_UNSUPPORTED', 'NOT_READY'], 'NOT_READY'],
  [['PROOF_WRONG_EVENT', 'PEER_TIMEOUT'], 'NO_ANSWER'],
  [[], 'NO_ANSWER']
])('of %j the most telling is what is said: %s', async (codes, said) => {
  const { run } = peers(Object.fromEntries(codes.map((code, i) => [`p${i}`, fail(code)])))
  const error = await run().catch((thrown: MolochError) => thrown)
  expect(error).toMatchObject({ code: said })
  expect((error as MolochError).message).toMatch(/^it: [^\n]+$/)
})

it('a silent peer is given up and blamed, and the next one asked', async () => {
  const { blamed, run } = peers({ a: (signal) => silence(undefined, signal), b: answer('b') })
  const answered = run()
  await vi.advanceTimersByTimeAsync(ANSWER_MS)
  expect(await answered).toBe('b')
  expect(blamed).toEqual(['a PEER_TIMEOUT'])
  expect(vi.getTimerCount()).toBe(0)
})

it('whoever asked may end it: nobody is blamed, and nobody else asked', async () => {
  const ending = new AbortController()
  const { asked, blamed, run } = peers({ a: (signal) => silence(undefined, signal), b: answer('b') })
  const answered = run(ending.signal)
  ending.abort()
  await expect(answered).rejects.toMatchObject({ code: 'ABORTED' })
  expect(asked).toEqual(['a'])
  expect(blamed).toEqual([])
  await expect(run(ending.signal)).rejects.toMatchObject({ code: 'ABORTED' })
})

it.each(['CONFLICTING_FINALITY', 'LEDGER_CLOSED', 'STORE_FAILED', 'STORE_CORRUPT'])(
  '%s is our own chain’s: it ends it as it is, and nobody is blamed',
  async (code) => {
    const { asked, blamed, run } = peers({ a: fail(code), b: answer('b') })
    await expect(run()).rejects.toMatchObject({ code, message: `${code}.` })
    expect(asked).toEqual(['a'])
    expect(blamed).toEqual([])
  }
)

it('what is no MolochError is a fault of ours and ends it', async () => {
  const { blamed, run } = peers({ a: async () => Promise.reject(new RangeError('ours')), b: answer('b') })
  await expect(run()).rejects.toThrow('ours')
  expect(blamed).toEqual([])
})
