/** What is made of proposed blocks while it is found out whether they are valid. */
import { expect, it, vi } from 'vitest'
import { toHex } from '../../src/codec/bytes.ts'
import type { Header } from '../../src/codec/generated/chain.ts'
import { ProposedBlocks } from '../../src/consensus/proposed-blocks.ts'
import { MolochError } from '../../src/error.ts'
import type { BuiltBlock } from '../../src/ledger/ledger.ts'
import { silentLog } from '../../src/log.ts'
import { Lab } from './support/lab.ts'

vi.setConfig({ testTimeout: 60_000 })

async function held() {
  const lab = await Lab.start()
  const { verifier } = lab.network
  const check = vi.spyOn(verifier, 'checkProposed')
  const validated: [hash: string, code: string | undefined][] = []
  const lost: string[] = []
  const blocks = new ProposedBlocks({
    ledger: lab.node.ledger,
    verifier,
    log: silentLog,
    isOver: () => false,
    validated: (hash, _: Header, failure) => validated.push([hash, failure?.code]),
    lost: (hash) => lost.push(hash)
  })
  const add = ({ hash, header, blockBytes }: BuiltBlock) => blocks.add(toHex(hash), header, blockBytes)
  return { lab, check, blocks, validated, lost, add }
}

it('a block that comes again while it is checked, and after, is checked once', async () => {
  const { lab, check, validated, add } = await held()
  const block = lab.build(0, [lab.network.event()])
  const verdicts = await Promise.all([add(block), add(block)])
  expect([...verdicts, await add(block)]).toEqual([undefined, undefined, undefined])
  expect(check).toHaveBeenCalledOnce()
  expect(validated).toEqual([[toHex(block.hash), undefined]])
})

it('a block that does not go on from the tip is invalid: an event that is final already', async () => {
  const { lab, blocks, validated, add } = await held()
  const event = lab.network.event()
  await lab.node.gossip('finalized', lab.finalized(lab.build(0, [event])))
  expect(lab.node.tip.height).toBe(1)
  const block = lab.build(0, [event])
  const failure = await add(block)
  expect(failure?.code).toBe('EVENT_REPEATED')
  expect(validated).toEqual([[toHex(block.hash), failure?.code]])
  expect(blocks.valid()).toEqual([])
})

it('a block that is not wanted any more, or whose height has ended, is not checked to the end', async () => {
  const { lab, check, blocks, add } = await held()
  const [forgotten, left] = [lab.build(0, [], 1_900_000_000_000), lab.build(0, [], 1_900_000_000_001)]
  void add(forgotten)
  void add(left)
  const [first, second] = check.mock.calls.map(([, options]) => options?.signal)
  blocks.forget(toHex(forgotten.hash))
  expect([first?.aborted, second?.aborted]).toEqual([true, false])
  blocks.stop()
  expect(second?.aborted).toBe(true)
})

it('a block that threads die of is lost, and not held: it is neither valid nor invalid', async () => {
  const { lab, check, blocks, validated, lost, add } = await held()
  check.mockRejectedValue(new MolochError('VERIFY_CRASHED', 'a thread died'))
  const block = lab.build()
  expect(await add(block)).toBeUndefined()
  expect(check).toHaveBeenCalledTimes(2)
  expect([lost, validated, blocks.has(toHex(block.hash))]).toEqual([[toHex(block.hash)], [], false])
})

it('a block that was valid without a check is told of when it comes: who adds it may not know', async () => {
  const { lab, check, blocks, validated, add } = await held()
  const block = lab.build()
  blocks.addValid(toHex(block.hash), block.blockBytes)
  expect(validated).toEqual([])
  expect(await add(block)).toBeUndefined()
  expect(validated).toEqual([[toHex(block.hash), undefined]])
  expect(check).not.toHaveBeenCalled()
})
