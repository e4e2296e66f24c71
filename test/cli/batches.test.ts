import { expect, test } from 'vitest'
import { MAX_BODY_BYTES } from '../../src/api/limits.ts'
import { Outcome } from '../../src/chain/event.ts'
import { BATCH_EVENTS, batchesOf } from '../../src/cli/batches.ts'

const event = (id: number, bytes: number) => ({
  action: 'a',
  resource: { kind: 'k', id: String(id) },
  outcome: Outcome.SUCCESS,
  metadata: [{ key: 'k', value: 'x'.repeat(bytes) }]
})

test.each([
  ['small', 1000, 10, [250, 250, 250, 250]],
  ['of the usual largest size', 250, 16_000, undefined],
  ['larger than a batch each', 3, 3 * 2 ** 20, [1, 1, 1]],
  ['none', 0, 0, []]
])('events %s: all, in order, within the body limit', (_, count, bytes, lengths) => {
  const events = Array.from({ length: count }, (_, i) => event(i, bytes))
  const batches = batchesOf(events)
  expect(batches.flat()).toEqual(events)
  if (lengths !== undefined) expect(batches.map((batch) => batch.length)).toEqual(lengths)
  for (const batch of batches) {
    expect(batch.length).toBeLessThanOrEqual(BATCH_EVENTS)
    if (batch.length > 1) expect(batch.length * ((bytes * 4) / 3 + 300)).toBeLessThan(MAX_BODY_BYTES)
  }
})
