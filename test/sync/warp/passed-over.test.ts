import { expect, it } from 'vitest'
import type { CheckedManifest } from '../../../src/chain/snapshot-manifest.ts'
import { PassedOver } from '../../../src/sync/warp/passed-over.ts'

const manifest = (height: number) => ({ height, id: new Uint8Array(32).fill(height) }) as CheckedManifest

it('lasts five minutes, of that snapshot alone', () => {
  let at = 0
  const passed = new PassedOver(() => at)
  expect([passed.has(manifest(1)), passed.words]).toEqual([false, ''])
  passed.add(manifest(1), false)
  expect([passed.has(manifest(1)), passed.has(manifest(2))]).toEqual([true, false])
  expect(passed.words).toBe('no chunk of the snapshot of block 1 comes from who offer it')
  at = 300_000
  expect([passed.has(manifest(1)), passed.words]).toEqual([false, ''])
})

it('of a snapshot that is half here is waited for once, and no second time', () => {
  let at = 0
  const passed = new PassedOver(() => at)
  passed.add(manifest(1), false)
  expect(passed.isAwaited).toBe(false)
  passed.add(manifest(2), true)
  expect(passed.isAwaited).toBe(true)
  expect(passed.words).toMatch(/block 1 .*; .* block 2 /)
  at = 300_000
  expect(passed.isAwaited).toBe(false)
  passed.add(manifest(2), true)
  expect([passed.has(manifest(2)), passed.isAwaited]).toEqual([true, false])
})
