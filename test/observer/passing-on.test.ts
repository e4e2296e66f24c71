/** What an observer sends on of what nobody vouches for: it keeps no events, so no room of its own bounds a flood. */
import { afterEach, expect, test, vi } from 'vitest'
import { vouchedEvents } from '../../src/chain/voucher.ts'
import { joinEvents } from '../../src/codec/raw.ts'
import type { KeyPair } from '../../src/crypto/ed25519.ts'
import { Finals } from '../../src/observer/finals.ts'
import { Reader } from '../../src/observer/reader.ts'
import { testChain, testEvent } from '../chain/fixture.ts'
import { judge } from '../support/judge.ts'

const HOUR_MS = 3_600_000
const chain = testChain(4, {
  params: { maxBlockBytes: 65_536, blockIntervalMs: HOUR_MS, emptyBlockIntervalMs: HOUR_MS, maxEventBytes: 8192 }
})
const { genesis } = chain

afterEach(() => {
  vi.restoreAllMocks()
})

test('a flood of good events is shown and ends here, but for some blocks’ share of them; vouched ones go on', async () => {
  let now = performance.now()
  vi.spyOn(performance, 'now').mockImplementation(() => now)
  let shown = 0
  const show = () => void shown++
  const reader = new Reader({ genesis, finals: new Finals(100), validatorAt: () => undefined, show })
  const rules = reader.rules('events')
  let index = 0
  const event = () =>
    testEvent(chain, index++, { timestamp: Date.now(), metadata: [{ key: 'k', value: 'x'.repeat(4000) }] }).bytes
  const passedOn = async (count: number): Promise<number> => {
    let bytes = 0
    for (let i = 0; i < count; i++) {
      const payload = joinEvents([event()])
      if ((await judge(rules, payload, `stranger ${i}`)) === 'accept') bytes += payload.byteLength
    }
    return bytes
  }
  const share = genesis.params.maxBlockBytes / 20
  const first = await passedOn(60)
  expect(first).toBeGreaterThan(15 * share)
  expect(first).toBeLessThan(16 * share + 8192)
  expect(shown).toBe(60)
  const vouched = vouchedEvents(genesis.hash, chain.keys[0] as KeyPair, [event()])
  await expect(judge(rules, vouched, 'stranger')).resolves.toBe('accept')
  now += 10 * HOUR_MS
  const later = await passedOn(60)
  expect(later).toBeGreaterThan(8 * share)
  expect(later).toBeLessThan(10 * share + 8192)
})
