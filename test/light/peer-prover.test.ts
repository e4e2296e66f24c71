import { describe, expect, it } from 'vitest'
import { MolochError } from '../../src/error.ts'
import { PeerProver, type PeerProverPorts } from '../../src/light/peer-prover.ts'
import { type Behaviour, Peers, refuse } from './support/peers.ts'
import { ServedChain } from './support/served-chain.ts'

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
