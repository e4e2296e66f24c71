import { describe, expect, test } from 'vitest'
import { MAX_PAGE_IDS } from '../../src/chain/history.ts'
import { equalBytes, toHex } from '../../src/codec/bytes.ts'
import { TrustedHeader } from '../../src/codec/generated/chain.ts'
import {
  type GetProof,
  type HistoryKey,
  type HistoryProof,
  historyKey,
  LightClient,
  type LightSource,
  Proof
} from '../../src/light/index.ts'
import { wholeHistory } from '../../src/light/whole-history.ts'
import { LONG_HISTORY, onlyKey } from '../support/histories.ts'
import { ServedChain } from './support/served-chain.ts'

const chain = new ServedChain(40, { eventsPerBlock: 2 })
const { genesis } = chain

/** A client at a checkpoint, or at genesis. */
async function started(height = 0, source: LightSource = chain): Promise<LightClient> {
  const client = new LightClient({ genesis, checkpoint: height === 0 ? undefined : chain.anchor(height), source })
  await client.start()
  return client
}

const lying = (changes: Partial<LightSource>): LightSource => ({
  getHeaders: (start, count) => chain.getHeaders(start, count),
  getProof: (request) => chain.getProof(request),
  ...changes
})

describe('a light client', () => {
  test.each([0, 1, 7, 32, 40])(
    'from checkpoint %i: following and skipping end in the same trusted tip',
    async (from) => {
      const [following, skipping, pushed] = await Promise.all([started(from), started(from), started(from)])
      expect(following.tip).toMatchObject({ height: from, hash: chain.anchor(from).hash })
      await following.follow()
      if (from < 40) await skipping.skipTo(40)
      await pushed.append(chain.headers.slice(from))
      expect(following.tip).toMatchObject({ height: 40, hash: chain.anchor(40).hash })
      expect(skipping.tip).toEqual(following.tip)
      expect(pushed.tip).toEqual(following.tip)
    }
  )

  test('follows to a height, then skips, then follows on', async () => {
    const client = await started()
    expect((await client.follow(5)).height).toBe(5)
    expect((await client.skipTo(23)).height).toBe(23)
    expect((await client.follow()).height).toBe(40)
    const straight = await started()
    expect(await straight.follow()).toEqual(client.tip)
  })

  test('a skip asks for one header and one path, following for runs of headers', async () => {
    const served = new ServedChain(40, { eventsPerBlock: 0 })
    const at = (height: number) =>
      new LightClient({ genesis: served.genesis, checkpoint: served.anchor(height), source: served })
    const skipping = at(3)
    await skipping.start()
    await skipping.skipTo(40)
    expect(served.asked).toEqual(['headers 3 1', 'headers 40 1', 'header 3 under 40'])
    served.asked.length = 0
    const following = at(3)
    await following.start()
    await following.follow(30)
    expect(served.asked).toEqual(['headers 3 1', 'headers 4 27'])
    expect(following.tip.height).toBe(30)
  })

  test('moves asked for at once are made one after the other', async () => {
    const client = await started()
    const tips = await Promise.all([client.follow(10), client.skipTo(20), client.follow(30)])
    expect(tips.map(({ height }) => height)).toEqual([10, 20, 30])
  })

  test('gives any earlier header and event, each proven under the tip', async () => {
    const client = await started(30)
    await client.skipTo(39)
    for (const height of [0, 1, 17, 29, 30, 38, 39]) {
      const { header, hash } = await client.header(height)
      expect(header.height).toBe(height)
      expect(toHex(hash)).toBe(toHex(chain.anchor(height).hash))
    }
    for (const height of [1, 20, 38, 39]) {
      const proven = await client.proveEvent(chain.eventId(height, 1))
      expect(proven).toMatchObject({ index: 1, header: { height } })
      expect(equalBytes(proven.event.id, chain.eventId(height, 1))).toBe(true)
    }
    await expect(client.header(40)).rejects.toMatchObject({ code: 'NOT_FOLLOWED' })
    await expect(client.proveEvent(chain.eventId(40, 1))).rejects.toMatchObject({ code: 'NOT_FOLLOWED' })
    await expect(client.proveEvent(new Uint8Array(32))).rejects.toMatchObject({ code: 'UNKNOWN_EVENT' })
  })

  test('is nothing before it is started, and says which checkpoint it did not find', async () => {
    const client = new LightClient({ genesis, source: chain })
    expect(() => client.tip).toThrow(expect.objectContaining({ code: 'NOT_STARTED' }))
    await expect(client.follow()).rejects.toMatchObject({ code: 'NOT_STARTED' })
    const wrong = { height: 7, hash: chain.anchor(8).hash }
    const other = new LightClient({ genesis, checkpoint: wrong, source: chain })
    await expect(other.start()).rejects.toMatchObject({ code: 'CHECKPOINT_MISMATCH' })
    const zero = new LightClient({ genesis, checkpoint: { ...wrong, height: 0 }, source: chain })
    await expect(zero.start()).rejects.toMatchObject({ code: 'CHECKPOINT_MISMATCH' })
    const beyond = new LightClient({ genesis, checkpoint: { ...wrong, height: 41 }, source: chain })
    await expect(beyond.start()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })
})

describe('a source that lies', () => {
  // Of the same genesis and validators: what a third of the keys could make.
  const fork = new ServedChain(40, { eventsPerBlock: 2, intervalMs: 1001 })

  const cases: [string, string, Partial<LightSource>, (client: LightClient) => Promise<unknown>][] = [
    [
      'other peaks for a skip',
      'BAD_MMR_ROOT',
      {
        getHeaders: async (start, count) => ({ ...(await chain.getHeaders(start, count)), peaks: [new Uint8Array(32)] })
      },
      (client) => client.skipTo(30)
    ],
    [
      'another header for a skip',
      'BAD_HEIGHT',
      { getHeaders: () => chain.getHeaders(29, 1) },
      (client) => client.skipTo(30)
    ],
    [
      'no path for a skip',
      'BAD_PARENT',
      { getProof: async () => Proof.encode({ header: { ...chain.headerProof(5, 30), mmrPath: [] } }) },
      (client) => client.skipTo(30)
    ],
    ['a fork for a skip', 'BAD_PARENT', fork, (client) => client.skipTo(30)],
    ['a fork to follow', 'BAD_PARENT', fork, (client) => client.follow()],
    [
      'a header left out',
      'BAD_HEIGHT',
      { getHeaders: async (start, count) => chain.getHeaders(start + 1, count) },
      (client) => client.follow()
    ],
    [
      'a header cut short',
      'NON_CANONICAL',
      { getHeaders: async () => ({ peaks: [], headers: [(chain.headers[10] as Uint8Array).subarray(0, 100)] }) },
      (client) => client.follow()
    ],
    [
      'a header without a quorum',
      'COMMIT_TOO_FEW',
      { getHeaders: async (start) => ({ peaks: [], headers: [uncertified(start)] }) },
      (client) => client.follow()
    ],
    [
      'bytes that are no proof',
      'PROOF_MALFORMED',
      { getProof: async () => new Uint8Array(40).fill(0xff) },
      (client) => client.header(3)
    ],
    [
      'a proof without end',
      'PROOF_MALFORMED',
      { getProof: async () => new Uint8Array(1 << 20) },
      (client) => client.header(3)
    ],
    [
      'a proof of another kind',
      'PROOF_WRONG_KIND',
      { getProof: async () => Proof.encode({ consistency: chain.consistencyProof(3, 10) }) },
      (client) => client.header(3)
    ],
    [
      'a proof of another header',
      'PROOF_WRONG_HEADER',
      { getProof: async () => Proof.encode({ header: chain.headerProof(4, 10) }) },
      (client) => client.header(3)
    ],
    [
      'a proof for another anchor',
      'PROOF_WRONG_ANCHOR',
      { getProof: async () => Proof.encode({ header: chain.headerProof(3, 11) }) },
      (client) => client.header(3)
    ],
    [
      'a proof of another event',
      'PROOF_WRONG_EVENT',
      { getProof: async () => Proof.encode({ event: chain.eventProof(3, 1, 10) }) },
      (client) => client.proveEvent(chain.eventId(3, 0))
    ],
    [
      'a proof anchored at the event itself',
      'PROOF_WRONG_ANCHOR',
      { getProof: async () => Proof.encode({ event: chain.eventProof(3, 0, 0) }) },
      (client) => client.proveEvent(chain.eventId(3, 0))
    ]
  ]
  test.each(cases)('%s: %s, and the tip stays', async (_, code, lie, act) => {
    const source = lie instanceof ServedChain ? lie : lying(lie)
    let honest = true
    const client = await started(10, {
      getHeaders: (start, count) => (honest ? chain : source).getHeaders(start, count),
      getProof: (request) => (honest ? chain : source).getProof(request)
    })
    const before = client.tip
    honest = false
    await expect(act(client)).rejects.toMatchObject({ code })
    expect(client.tip).toEqual(before)
    // Nothing is spoilt: an honest answer is taken.
    honest = true
    expect((await client.follow()).height).toBe(40)
  })

  test('keeps what was right before a fault', async () => {
    const client = await started(10)
    const headers = [...chain.headers.slice(10, 15), chain.headers[3] as Uint8Array]
    await expect(client.append(headers)).rejects.toMatchObject({ code: 'BAD_HEIGHT' })
    expect(client.tip.height).toBe(15)
  })
})

function uncertified(height: number): Uint8Array {
  const header = TrustedHeader.decode(chain.headers[height - 1] as Uint8Array)
  header.commit?.signatures.pop()
  return TrustedHeader.encode(header)
}

describe('a light client asks for histories', () => {
  const served = new ServedChain(12, { eventsPerBlock: 3, actors: 2, params: { snapshotInterval: 5 } })
  const key = served.histories.keys(10)[0] as HistoryKey
  const absent = historyKey({ action: 'never' })

  async function following(source: LightSource = served): Promise<LightClient> {
    const client = new LightClient({ genesis: served.genesis, source })
    await client.start()
    await client.follow()
    return client
  }

  const answering = (change: (proof: HistoryProof) => HistoryProof): LightSource => ({
    getHeaders: (start, count) => served.getHeaders(start, count),
    getProof: async (request) => {
      const { history, ...rest } = Proof.decode(await served.getProof(request))
      return Proof.encode(history === undefined ? rest : { history: change(history) })
    }
  })

  test('and has all events of a key, or that there are none, under the anchor', async () => {
    const client = await following()
    const newest = await client.proveHistory(key)
    expect(newest.anchor).toEqual(served.anchor(10))
    expect(newest.ids).toEqual(served.histories.idsOf(key, 10))
    expect((await client.proveHistory(key, 5)).ids).toEqual(served.histories.idsOf(key, 5))
    expect((await client.proveHistory(absent)).ids).toEqual([])
  })

  test('and believes no other', async () => {
    const wrong = async (change: (proof: HistoryProof) => HistoryProof, anchor?: number) => {
      const client = await following(answering(change))
      return client.proveHistory(key, anchor).then(
        () => 'ok',
        ({ code }) => code
      )
    }
    expect(await wrong((proof) => ({ ...proof, pages: [] }))).toBe('PROOF_HISTORY_LENGTH')
    expect(await wrong((proof) => ({ ...proof, pages: [...proof.pages, ...proof.pages] }))).toBe('PROOF_HISTORY_LENGTH')
    expect(await wrong(() => served.historyProof(key, 5), 10)).toBe('PROOF_WRONG_ANCHOR')
    expect(await wrong(() => ({ ...served.historyProof(key, 10), anchorHeight: 15 }))).toBe('NOT_FOLLOWED')
    expect(await wrong(() => served.historyProof(absent, 10))).toBe('PROOF_KEY_PATH')
  })

  test('of more than one page, each under the same anchor', async () => {
    const asked: GetProof[] = []
    const { proof, anchor } = onlyKey(served.genesis, served.header(10), key, LONG_HISTORY)
    const source: LightSource = {
      getHeaders: async () => ({ peaks: [], headers: [] }),
      getProof: async (request) => {
        asked.push(request)
        const { beforeCount } = request.history as NonNullable<GetProof['history']>
        const at = beforeCount === 0 ? 0 : 3 - beforeCount / MAX_PAGE_IDS
        const pages = proof.pages.slice(at, at + 1)
        return Proof.encode({ history: beforeCount === 0 ? { ...proof, pages } : { anchorHeight: 10, pages } })
      }
    }
    const parts = { genesis: served.genesis, source, anchorAt: async () => anchor }
    const { ids } = await wholeHistory(parts, key, 0)
    expect(ids).toEqual(LONG_HISTORY)
    expect(asked.map(({ history }) => [history?.anchorHeight, history?.beforeCount])).toEqual([
      [0, 0],
      [10, 2 * MAX_PAGE_IDS],
      [10, MAX_PAGE_IDS]
    ])
  })
})
