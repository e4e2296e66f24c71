import { expect, test } from 'vitest'
import { MolochError } from '../../src/error.ts'
import { CrossCheck, type CrossCheckPorts } from '../../src/light/cross-check.ts'
import { PeerPauses } from '../../src/light/peer-pauses.ts'
import { silentLog } from '../../src/log.ts'
import { ServedChain } from './support/served-chain.ts'

const served = new ServedChain(8)
const PEERS = ['a', 'b', 'c', 'd']

/** One comparison, to its end. */
async function run(ports: Partial<CrossCheckPorts>) {
  const seen = { asked: [] as string[], blamed: [] as string[] }
  const { getHeaders = serve, ...others } = ports
  const check = new CrossCheck({
    genesis: served.genesis,
    log: silentLog,
    pauses: new PeerPauses(),
    tip: () => served.anchor(8),
    holders: (needed) => {
      expect(needed).toEqual({ from: 8, to: 8 })
      return [...PEERS]
    },
    halted: () => false,
    compare: async () => undefined,
    penalise: (peer, code) => seen.blamed.push(`${peer} ${code}`),
    getHeaders: (peer, ...rest) => {
      seen.asked.push(peer)
      return getHeaders(peer, ...rest)
    },
    ...others
  })
  await check.soon()
  return { ...seen, last: check.last }
}

const serve: CrossCheckPorts['getHeaders'] = async function* (_, { start, count }) {
  yield await framed(start, count)
}

async function framed(start: number, count: number) {
  const { peaks, headers } = await served.getHeaders(start, count)
  return { peaks: [...peaks], headers: [...headers] }
}

test('two peers that show our tip are enough', async () => {
  const { asked, blamed, last } = await run({})
  expect(last).toMatchObject({ height: 8, asked: 2, peers: ['a', 'b'] })
  expect(asked).toEqual(['a', 'b'])
  expect(blamed).toEqual([])
})

test.each(['STORE_FAILED', 'LEDGER_CLOSED', 'STORE_CORRUPT', 'CONFLICTING_FINALITY'])(
  '%s of our own ends the comparison, and no peer is blamed',
  async (code) => {
    const compare = async () => {
      throw new MolochError(code, 'our own')
    }
    expect(await run({ compare })).toEqual({ asked: ['a'], blamed: [], last: undefined })
  }
)

test('nothing is asked or compared any more once there is a conflict', async () => {
  expect(await run({ halted: () => true })).toEqual({ asked: [], blamed: [], last: undefined })
  let compared = 0
  const found = await run({
    halted: () => compared === 1,
    compare: async () => {
      compared += 1
      return undefined
    }
  })
  expect(found).toMatchObject({ asked: ['a'], blamed: [] })
})

test('whoever shows a bad header or none is blamed for it, and another one is asked', async () => {
  const { asked, blamed, last } = await run({
    getHeaders: async function* (peer, { start, count }) {
      if (peer === 'a') throw new MolochError('PEER_CLOSED', 'gone')
      if (peer === 'b') return yield await framed(start - 1, count)
      yield await framed(start, count)
    }
  })
  expect(asked).toEqual(PEERS)
  expect(blamed).toEqual(['a PEER_CLOSED', 'b BAD_HEIGHT'])
  expect(last).toMatchObject({ asked: 4, peers: ['c', 'd'] })
})

test('that many were asked and none agreed is shown', async () => {
  const { last } = await run({ tip: () => ({ ...served.anchor(8), hash: new Uint8Array(32) }) })
  expect(last).toMatchObject({ asked: 4, peers: [] })
})

test('a peer that is at its limits is left out', async () => {
  const pauses = new PeerPauses()
  pauses.take(['a'])?.end(new MolochError('RATE_LIMITED', 'too much', { retryAfterMs: 60_000 }))
  expect(await run({ pauses })).toMatchObject({ asked: ['b', 'c'], last: { peers: ['b', 'c'] } })
})
