/** Peers without any key that say again, in another form, what validators have signed: nobody follows, nobody is blamed. */
import { describe, expect, it, vi } from 'vitest'
import { decodeVote, encodeVote } from '../../src/chain/vote.ts'
import { toHex } from '../../src/codec/bytes.ts'
import { joinBlock, joinNewBlock, splitBlock, splitNewBlock } from '../../src/codec/raw.ts'
import { noVotes } from '../../src/consensus/catch-up.ts'
import type { ConsensusTopic } from '../../src/consensus/ports.ts'
import { waitFor } from '../support/until.ts'
import { Lab } from './support/lab.ts'
import { Network, type TestNode } from './support/rig.ts'

vi.setConfig({ testTimeout: 60_000 })

/** Says to every node what `twist` makes of each message, before the message itself reaches it. Returns the verdicts. */
function relay(network: Network, topic: ConsensusTopic, twist: (payload: Uint8Array) => Uint8Array | undefined) {
  const verdicts: (string | undefined)[] = []
  network.tap = (from, on, payload) => {
    const twisted = on === topic ? twist(payload) : undefined
    if (twisted === undefined) return
    for (const node of network.nodes) {
      if (node === from || !node.running) continue
      void node.gossip(topic, twisted, 'stranger').then((verdict) => verdicts.push(verdict))
    }
  }
  return verdicts
}

async function nobodyIsBlamed(nodes: readonly TestNode[]): Promise<void> {
  for (const node of nodes) {
    expect(await node.ledger.evidence()).toEqual([])
    expect([node.errors, node.penalties]).toEqual([[], []])
  }
}

describe('nil votes, said again as votes for 32 zero bytes', () => {
  it('are refused; the chain goes on through rounds that end in nil', async () => {
    const network = new Network()
    const verdicts = relay(network, 'vote', (payload) => {
      const vote = decodeVote(payload)
      return vote.blockHash.byteLength === 0 ? encodeVote({ ...vote, blockHash: new Uint8Array(32) }) : undefined
    })
    const [v0, v1, v2, v3] = Array.from({ length: 4 }, () => network.add()) as [TestNode, TestNode, TestNode, TestNode]
    // Without the proposer of round 0 height 1 needs a nil round, and so does height 5.
    for (const node of [v0, v2, v3]) await node.start()
    await Promise.all([v0, v2, v3].map((node) => node.reaches(5)))
    await v1.start()
    await Promise.all(network.nodes.map((node) => node.reaches(7)))
    expect(new Set(verdicts)).toEqual(new Set(['reject']))
    expect((await v0.ledger.headerAt(1))?.header.proposer).toEqual(network.keys[2]?.publicKey)
    await nobodyIsBlamed(network.nodes)
  })
})

describe('proposals with other events', () => {
  /** As it was signed, but for its last event. */
  const mangled = (payload: Uint8Array): Uint8Array | undefined => {
    const { block, ...proposal } = splitNewBlock(payload)
    const { header, seal, events } = splitBlock(block)
    if (events.length === 0) return undefined
    return joinNewBlock({ ...proposal, block: joinBlock(header, seal, events.slice(0, -1)) })
  }

  it('are refused, whoever brings them first; the real ones are decided in their round', async () => {
    const network = new Network()
    const nodes = Array.from({ length: 4 }, () => network.add())
    const verdicts = relay(network, 'block', mangled)
    for (const node of nodes) await node.start()
    const events = Array.from({ length: 3 }, () => network.event())
    network.submit(...events)
    await Promise.all(nodes.map((node) => node.reaches(3)))
    expect(new Set(verdicts)).toEqual(new Set(['reject']))
    for (const { id } of events) expect(await nodes[0]?.ledger.event(id)).toBeDefined()
    await nobodyIsBlamed(nodes)
  })

  it('are refused as answers, and the answer of another peer is taken', async () => {
    const lab = await Lab.start()
    const block = lab.build(0, [lab.network.event()])
    const { header, seal } = splitBlock(block.blockBytes)
    const blocks: Record<string, Uint8Array> = { liar: joinBlock(header, seal, []), other: block.blockBytes }
    lab.node.answer = async (request, peer) => {
      expect(toHex(request.blockHash)).toBe(toHex(block.hash))
      return { ...noVotes(), block: new Uint8Array(blocks[peer]!) }
    }
    for (const validator of [0, 2, 3]) await lab.node.gossip('vote', lab.precommit(validator, block))
    lab.node.driver.peerReady('liar')
    await waitFor(() => expect(lab.node.penalties).toHaveLength(1))
    lab.node.driver.peerReady('other')
    await lab.node.reaches(1)
    expect(lab.node.penalties).toEqual(['BAD_EVENTS_ROOT'])
    expect(lab.node.tip.hash).toBe(toHex(block.hash))
    expect([await lab.node.ledger.evidence(), lab.node.errors]).toEqual([[], []])
  })
})
