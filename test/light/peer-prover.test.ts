import { describe, expect, it } from 'vitest'
import { foldHead } from '../../src/chain/history.ts'
import type { HistoryProof } from '../../src/codec/generated/proof.ts'
import { MolochError } from '../../src/error.ts'
import { PeerProver, type PeerProverPorts } from '../../src/light/peer-prover.ts'
import { type HistoryKey, historyKey } from '../../src/light/verify/history-key.ts'
import { NO_HEAD } from '../support/histories.ts'
import { type Behaviour, Peers, refuse } from './support/peers.ts'
import { ServedChain } from './support/served-chain.ts'

type Bytes = Uint8Array<ArrayBuffer>

const served = new ServedChain(30, { eventsPerBlock: 3 })
const TIP = 20

function prover(behaviours: Record<string, Behaviour>, ports: Partial<PeerProverPorts> = {}) {
  const peers = new Peers(served, behaviours)
  const made = new PeerProver({
    ...peers,
    genesis: served.genesis,
    tipHeight: () => TIP,
    headerAt: async (height) => served.anchor(height),
    ...ports
  })
  return { prover: made, peers }
}

const eventId = served.eventId(5, 1)

describe('proofs from peers', () => {
  it('of an event, a header and a history are given as they came', async () => {
    const { prover: one, peers } = prover({ a: {} })
    expect((await one.prove({ event: { eventId, anchorHeight: TIP } })).event).toEqual(served.eventProof(5, 1, TIP))
    expect((await one.prove({ event: { eventId, anchorHeight: 0 } })).event).toEqual(served.eventProof(5, 1, 0))
    expect((await one.prove({ header: { height: 5, anchorHeight: TIP } })).header).toEqual(served.headerProof(5, TIP))
    expect((await one.prove({ consistency: { from: 5, to: TIP } })).consistency).toEqual(
      served.consistencyProof(5, TIP)
    )
    expect(peers.blamed).toEqual([])
  })

  it('are asked of those that hold the blocks they rest on', async () => {
    const { prover: one, peers } = prover({ a: {} })
    await one.prove({ event: { eventId, anchorHeight: TIP } })
    await one.prove({ header: { height: 5, anchorHeight: TIP } })
    await one.prove({ consistency: { from: 5, to: TIP } })
    expect(peers.needed).toEqual([
      // Which block it is in only the answer says.
      { from: undefined, to: TIP },
      { from: 5, to: TIP },
      { from: 0, to: TIP }
    ])
  })

  it('that do not hold are blamed on whoever gave them; the next one’s is given', async () => {
    const { prover: one, peers } = prover({
      stale: { proof: async () => ({ event: served.eventProof(5, 1, TIP - 1) }) },
      other: { proof: async () => ({ event: served.eventProof(5, 2, TIP) }) },
      kind: { proof: async () => ({ header: served.headerProof(5, TIP) }) },
      liar: { proof: refuse('UNKNOWN_EVENT') },
      honest: {}
    })
    expect((await one.prove({ event: { eventId, anchorHeight: TIP } })).event).toEqual(served.eventProof(5, 1, TIP))
    expect(peers.asked).toEqual(['stale', 'other', 'kind', 'liar', 'honest'])
    expect(peers.blamed.slice(0, 3)).toEqual([
      'stale PROOF_WRONG_ANCHOR',
      'other PROOF_WRONG_EVENT',
      'kind PROOF_WRONG_KIND'
    ])
    // Which the network lets pass (verdicts.ts).
    expect(peers.blamed.slice(3)).toEqual(['liar UNKNOWN_EVENT'])
  })

  it('under a header above the tip, or of a history that is none, are asked of nobody', async () => {
    const { prover: one, peers } = prover({ a: {} })
    await expect(one.prove({ event: { eventId, anchorHeight: TIP + 1 } })).rejects.toMatchObject({
      code: 'UNAVAILABLE'
    })
    await expect(one.prove({ consistency: { from: 5, to: 4 } })).rejects.toMatchObject({ code: 'BAD_REQUEST' })
    await expect(one.prove({ consistency: { from: 0, to: 4 } })).rejects.toMatchObject({ code: 'BAD_REQUEST' })
    expect(() => one.prove({})).toThrow(MolochError)
    expect(peers.asked).toEqual([])
  })

  it('of an event above the tip cannot be checked yet: nobody is blamed for it', async () => {
    const { prover: one, peers } = prover({ a: {}, b: {} })
    const above = { event: { eventId: served.eventId(TIP + 1, 0), anchorHeight: 0 } }
    await expect(one.prove(above)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining(`${TIP}`)
    })
    expect(peers.blamed).toEqual(['a UNAVAILABLE', 'b UNAVAILABLE'])
  })

  it('that nobody’s header can be had for are not the fault of who gave them', async () => {
    const headerAt = async (): Promise<never> => {
      throw new MolochError('NO_ANSWER', 'no header')
    }
    const { prover: one, peers } = prover({ a: {} }, { headerAt })
    await expect(one.prove({ event: { eventId, anchorHeight: 0 } })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(peers.blamed).toEqual(['a UNAVAILABLE'])
  })
})

describe('histories from peers', () => {
  const chain = new ServedChain(23, { eventsPerBlock: 3, actors: 2, params: { snapshotInterval: 5 } })
  const key = chain.histories.keys(20)[0] as HistoryKey
  const asked = { index: key.index, key: key.key as Bytes, anchorHeight: 20, beforeCount: 0, beforeHead: NO_HEAD }
  const whole = chain.historyProof(key, 20)
  const [page] = whole.pages as [HistoryProof['pages'][0]]

  function historyProver(behaviours: Record<string, Behaviour>, tip = 22) {
    const peers = new Peers(chain, behaviours)
    const headerAt: PeerProverPorts['headerAt'] = async (height) => chain.anchor(height)
    return { one: new PeerProver({ ...peers, genesis: chain.genesis, tipHeight: () => tip, headerAt }), peers }
  }

  const answering = (history: HistoryProof): Behaviour => ({ proof: async () => ({ history }) })

  it('that do not hold are blamed on whoever gave them, by what is wrong', async () => {
    const absent = chain.historyProof(historyKey({ actor: new Uint8Array(32) }), 20)
    const { one, peers } = historyProver({
      omits: answering({ ...whole, pages: [{ ...page, ids: page.ids.slice(1) }] }),
      swaps: answering({ ...whole, pages: [{ ...page, ids: page.ids.toReversed() }] }),
      denies: answering({ ...whole, pages: [] }),
      other: answering(absent),
      stale: answering(chain.historyProof(key, 15)),
      kind: { proof: async () => ({ header: chain.headerProof(5, 20) }) },
      honest: {}
    })
    expect((await one.prove({ history: asked })).history).toEqual(whole)
    expect(peers.blamed).toEqual([
      'omits PROOF_HISTORY_LENGTH',
      'swaps PROOF_HISTORY_PAGE',
      'denies PROOF_HISTORY_LENGTH',
      'other PROOF_KEY_PATH',
      'stale PROOF_WRONG_ANCHOR',
      'kind PROOF_WRONG_KIND'
    ])
    // Whoever lacks one block may lack an event of the key.
    expect(peers.needed).toEqual([{ from: 1, to: 20 }])
  })

  it('go on from what is known, whoever gave that', async () => {
    // The newest event is known, and the page goes on below it: as after a page that began there.
    const before = { count: page.ids.length, head: foldHead(page) as Bytes }
    const more = { ...asked, beforeCount: before.count, beforeHead: before.head }
    const cut = { ...page, ids: page.ids.slice(0, -1) }
    const { one, peers } = historyProver({ cuts: answering({ anchorHeight: 20, pages: [cut] }), honest: {} })
    expect((await one.prove({ history: more })).history).toEqual({ anchorHeight: 20, pages: [page] })
    expect(peers.blamed).toEqual(['cuts PROOF_HISTORY_LENGTH'])
    await expect(one.prove({ history: { ...more, anchorHeight: 0 } })).rejects.toMatchObject({ code: 'BAD_REQUEST' })
    await expect(one.prove({ history: { ...asked, index: 3 } })).rejects.toMatchObject({ code: 'BAD_REQUEST' })
  })

  it('that nobody can answer are asked of nobody', async () => {
    const { one, peers } = historyProver({ honest: {} })
    for (const change of [
      { index: 3 },
      { key: new Uint8Array(546) },
      { anchorHeight: 7 },
      { beforeCount: 4, beforeHead: new Uint8Array(31) },
      { anchorHeight: 0, beforeCount: 4, beforeHead: new Uint8Array(32) }
    ]) {
      const request = { history: { ...asked, ...change } }
      await expect(one.prove(request), JSON.stringify(change)).rejects.toMatchObject({ code: 'BAD_REQUEST' })
    }
    expect(peers.asked).toEqual([])
  })

  it('without an anchor are those of the newest snapshot that a peer has, not of what one offers', async () => {
    const offers = { proof: async () => ({ history: chain.historyProof(key, 5) }) }
    const first = historyProver({ offers, honest: {} })
    expect((await first.one.prove({ history: { ...asked, anchorHeight: 0 } })).history?.anchorHeight).toBe(20)
    expect(first.peers.blamed).toEqual(['offers PROOF_WRONG_ANCHOR'])

    const only = (height: number): Behaviour => ({
      proof: async ({ history }) => {
        const named = history?.anchorHeight ?? 0
        if (named === 0 || named === height) return { history: chain.historyProof(key, height) }
        throw new MolochError(named < height ? 'ANCHOR_TOO_OLD' : 'UNAVAILABLE', `not ${named}`)
      }
    })
    for (const height of [15, 10]) {
      const { one } = historyProver({ one: only(height) })
      expect((await one.prove({ history: { ...asked, anchorHeight: 0 } })).history).toEqual(
        chain.historyProof(key, height)
      )
    }
    const above = historyProver({ one: only(20) }, 12)
    await expect(above.one.prove({ history: { ...asked, anchorHeight: 0 } })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('followed the chain to 12')
    })
  })
})
