import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checkProposed } from '../../src/chain/check-block.ts'
import { signEvent } from '../../src/chain/event.ts'
import { Mempool } from '../../src/chain/mempool.ts'
import { splitBlock, splitNewBlock } from '../../src/codec/raw.ts'
import { BlockBudget } from '../../src/consensus/block-budget.ts'
import { systemClock } from '../../src/consensus/ports.ts'
import { Proposer } from '../../src/consensus/proposer.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { silentLog } from '../../src/log.ts'
import { eventFields, keyOf, testChain } from '../chain/fixture.ts'
import { mempoolLimits, own } from '../chain/support/mempool-limits.ts'
import { tempDir } from '../support/temp-dir.ts'
import { waitFor } from '../support/until.ts'
import { Lab } from './support/lab.ts'

test('an event of the largest size that a genesis may allow fits a block', async () => {
  const params = { maxBlockBytes: 4096, maxEventBytes: 3072 }
  const chain = testChain(4, { params })
  const ledger = await Ledger.open({ path: join(tempDir(), 'chain'), genesis: chain.genesis, log: silentLog })
  const mempool = new Mempool(mempoolLimits())
  const sized = (padding: number) =>
    signEvent(chain.genesis.hash, keyOf('actor'), {
      ...eventFields(1, { timestamp: Date.now() }),
      metadata: [{ key: 'padding', value: 'x'.repeat(padding) }]
    })
  const event = sized(2800 + params.maxEventBytes - sized(2800).bytes.byteLength)
  expect(event.bytes.byteLength).toBe(params.maxEventBytes)
  mempool.add(event, own())

  const proposer = new Proposer({ ledger, mempool, clock: systemClock })
  expect(proposer.hasEvents()).toBe(true)
  const { header, blockBytes } = proposer.build(
    chain.keys[1] as (typeof chain.keys)[number],
    // Even where rounds fail one after the other.
    new BlockBudget(chain.genesis.params).at(9)
  )
  expect(header.eventCount).toBe(1)
  expect(blockBytes.byteLength).toBeLessThanOrEqual(params.maxBlockBytes)
  expect(checkProposed(chain.genesis, blockBytes)).toMatchObject({ ok: true })
  await ledger.close()
})

test('after a round that failed a proposer offers half as much', async () => {
  // proposer(1, 2) = validators[3], of an eighth of 128 events.
  const lab = await Lab.start({ self: 3, params: { maxBlockEvents: 128 } })
  const events = Array.from({ length: 100 }, () => lab.network.event())
  lab.node.submit(...events)
  for (const round of [1, 2]) {
    for (const validator of [0, 1]) await lab.node.gossip('vote', lab.prevote(validator, undefined, round))
  }
  await waitFor(() => expect(lab.node.published.map(({ topic }) => topic)).toContain('block'), { timeout: 20_000 })
  const { payload } = lab.node.published.find(({ topic }) => topic === 'block') as { payload: Uint8Array }
  const { round, block } = splitNewBlock(payload)
  expect(round).toBe(2)
  expect(splitBlock(block).events).toHaveLength(4)
})
