/** The header topic at a node that holds the chain: what light clients are to hear, once, and nothing false. */
import { describe, expect, it, vi } from 'vitest'
import { TrustedHeader } from '../../src/codec/generated/chain.ts'
import { joinTrustedHeader, splitBlock, splitFinalized } from '../../src/codec/raw.ts'
import { HeaderIntake } from '../../src/consensus/header-intake.ts'
import type { BuiltBlock } from '../../src/ledger/ledger.ts'
import { judge } from '../support/judge.ts'
import { waitFor } from '../support/until.ts'
import { Lab } from './support/lab.ts'

vi.setConfig({ testTimeout: 60_000 })

const gossip = (lab: Lab, payload: Uint8Array, from?: string) => lab.node.gossip('header', payload, from)

/** The message of a block that follows the tip. */
async function headerOf(lab: Lab, block: BuiltBlock, signers: readonly number[] = [0, 1, 2]): Promise<Uint8Array> {
  const parts = splitFinalized(lab.finalized(block, signers))
  const { header, seal } = splitBlock(parts.block)
  const mmrRoot = await lab.node.ledger.rootAfter(block.header.height, block.hash)
  return joinTrustedHeader({ header, seal, commit: parts.commit, mmrRoot })
}

const changed = (payload: Uint8Array, change: (header: TrustedHeader) => void): Uint8Array => {
  const header = TrustedHeader.decode(new Uint8Array(payload))
  change(header)
  return TrustedHeader.encode(header)
}

const flip = (bytes: Uint8Array | undefined): void => {
  if (bytes !== undefined) bytes[0] = (bytes[0] as number) ^ 1
}

describe('a certified header', () => {
  it('of the next block and of a final one is forwarded once, whatever its commit', async () => {
    const lab = await Lab.start()
    const block = lab.build(0, [lab.network.event()])
    const message = await headerOf(lab, block)
    const other = await headerOf(lab, block, [1, 2, 3])
    expect(await gossip(lab, message)).toBe('accept')
    expect([await gossip(lab, message), await gossip(lab, other)]).toEqual(['ignore', 'ignore'])
    await lab.node.gossip('finalized', lab.finalized(block))
    expect([lab.node.tip.height, await gossip(lab, message)]).toEqual([1, 'ignore'])

    const decided = lab.build()
    const second = await headerOf(lab, decided)
    await lab.node.gossip('finalized', lab.finalized(decided))
    expect([await gossip(lab, second), await gossip(lab, second)]).toEqual(['accept', 'ignore'])
  })

  it('is rejected for what is wrong with it by itself, and not passed on with a root that is not the chain’s', async () => {
    const lab = await Lab.start()
    const block = lab.build()
    const message = await headerOf(lab, block)
    const wrong = [
      new Uint8Array([1, 2]),
      new Uint8Array(100_000),
      Uint8Array.from([...message, 0x78, 1]),
      changed(message, (header) => flip(header.seal)),
      changed(message, (header) => flip(header.commit?.signatures[0]?.signature)),
      changed(message, (header) => header.commit?.signatures.pop())
    ]
    for (const payload of wrong) expect(await gossip(lab, payload)).toBe('reject')
    // Under no signature: a node that does not hold the chain cannot tell, and may have passed it on.
    const falseRoot = changed(message, (header) => flip(header.mmrRoot))
    expect([await gossip(lab, falseRoot), await gossip(lab, message)]).toEqual(['ignore', 'accept'])
    // Not even when it is known, or final.
    for (const payload of wrong) expect(await gossip(lab, payload)).toBe('reject')
    await lab.node.gossip('finalized', lab.finalized(block))
    for (const payload of wrong) expect(await gossip(lab, payload)).toBe('reject')
    expect(await gossip(lab, falseRoot)).toBe('ignore')
  })

  it('far above says that we are behind, if it is certified', async () => {
    const lab = await Lab.start()
    const other = lab.network.add()
    await other.start()
    let message: Uint8Array = new Uint8Array(0)
    for (let height = 1; height <= 3; height++) {
      const proposer = lab.keys[lab.network.genesis.validators.proposer(height, 0)]!
      const block = other.ledger.buildBlock({ timestamp: Date.now(), proposer, events: [] })
      const parts = splitFinalized(lab.finalized(block))
      const mmrRoot = await other.ledger.rootAfter(height, block.hash)
      message = joinTrustedHeader({ ...splitBlock(parts.block), commit: parts.commit, mmrRoot })
      await other.gossip('finalized', lab.finalized(block))
    }
    await other.stop()
    const behind = vi.fn()
    lab.node.driver.on('behind', behind)
    expect(
      await gossip(
        lab,
        changed(message, (header) => flip(header.commit?.signatures[0]?.signature))
      )
    ).toBe('reject')
    expect(behind).not.toHaveBeenCalled()
    expect(await gossip(lab, message, 'friend')).toBe('ignore')
    expect(behind).toHaveBeenCalledWith({ height: 3, peer: 'friend' })
  })

  it('of another chain at a final height is evidence: kept, told to others once, and the end of following', async () => {
    const lab = await Lab.start()
    const [ours, theirs] = [lab.build(), lab.build(1, [lab.network.event()])]
    const message = await headerOf(lab, theirs, [1, 2, 3])
    await lab.node.gossip('finalized', lab.finalized(ours))
    expect(
      await gossip(
        lab,
        changed(message, (header) => header.commit?.signatures.pop())
      )
    ).toBe('reject')
    expect(lab.node.ledger.conflict).toBeUndefined()
    expect([await gossip(lab, message), await gossip(lab, message)]).toEqual(['accept', 'ignore'])
    expect(lab.node.ledger.conflict).toMatchObject({ height: 1, validators: ['v1', 'v2'] })
    expect((await lab.node.ledger.evidence())[0]?.parts[1]).toEqual(new Uint8Array(message))
    expect(lab.node.driver.halted?.message).toMatch(/two blocks are certified at height 1/)
  })
})

it('one at or below the tip that is not held is checked, and goes no further', async () => {
  const lab = await Lab.start()
  const message = await headerOf(lab, lab.build())
  const { genesis } = lab.network
  const judged: string[] = []
  const intake = new HeaderIntake({
    chain: {
      genesis,
      tip: { height: 9, hash: new Uint8Array(32) },
      conflict: undefined,
      hashAt: async () => undefined,
      compareHeader: async () => {
        judged.push('compared')
        return undefined
      }
    },
    behind: () => judged.push('behind')
  })
  const unsigned = changed(message, (header) => flip(header.seal))
  expect([await judge(intake.rules, unsigned, 'someone'), await judge(intake.rules, message, 'someone')]).toEqual([
    'reject',
    'ignore'
  ])
  expect(judged).toEqual([])
})

it('the proposer of a decided block publishes its header', async () => {
  const lab = await Lab.start({ self: 1, params: { blockIntervalMs: 10, emptyBlockIntervalMs: 10 } })
  await vi.waitFor(() => expect(lab.node.driver.pending()).toBeDefined(), { timeout: 20_000, interval: 10 })
  const block = { hash: lab.node.driver.pending()!.hash, blockBytes: new Uint8Array(0), header: undefined as never }
  for (const validator of [0, 2, 3]) await lab.node.gossip('vote', lab.prevote(validator, block))
  for (const validator of [0, 2, 3]) await lab.node.gossip('vote', lab.precommit(validator, block))
  const published = () => lab.node.published.filter(({ topic }) => topic === 'header')
  await waitFor(() => expect(published()).toHaveLength(1), { timeout: 20_000, interval: 10 })
  const trusted = TrustedHeader.decode(new Uint8Array(published()[0]!.payload))
  expect(trusted.header?.height).toBe(1)
  expect(Buffer.from(trusted.mmrRoot)).toEqual(Buffer.from(lab.node.ledger.tip.mmrRoot))
})
