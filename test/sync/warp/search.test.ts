import { expect, it, onTestFinished, vi } from 'vitest'
import { networkError } from '../../../src/network/errors.ts'
import { PassedOver } from '../../../src/sync/warp/passed-over.ts'
import { ManifestSearch } from '../../../src/sync/warp/search.ts'
import type { WarpPorts } from '../../../src/sync/warp/types.ts'
import { LogBook } from '../../network/support/nodes.ts'
import { chainInMemory } from '../../support/chain-maker.ts'

it('asks an honest peer, however many silent ones there are', async () => {
  vi.useFakeTimers()
  onTestFinished(() => {
    vi.useRealTimers()
  })
  let answers = 0
  const getManifest: WarpPorts['network']['getManifest'] = (peer, _, options) => {
    if (peer === 'honest') {
      answers++
      return Promise.reject(networkError('UNAVAILABLE', 'none yet'))
    }
    return new Promise((_, reject) => {
      options?.signal?.addEventListener('abort', () => reject(new Error('called off')))
    })
  }
  const network = { getManifest } as WarpPorts['network']
  const ports = { genesis: chainInMemory(0).genesis, network, log: new LogBook(), checkChunk: async () => undefined }
  const penalised: string[] = []
  const now = () => Date.now()
  const search = new ManifestSearch(ports, {
    checkpoint: { height: 0, hash: new Uint8Array(32) },
    penalise: (_, { code }) => penalised.push(code),
    passedOver: new PassedOver(now),
    now
  })
  onTestFinished(() => search.close())
  for (let i = 0; i < 40; i++) search.setPeer({ id: `silent-${i}`, height: 9, earliest: 1, syncing: false })
  search.setPeer({ id: 'honest', height: 9, earliest: 1, syncing: false })
  for (let ms = 0; ms < 60_000; ms += 100) {
    search.tick()
    await vi.advanceTimersByTimeAsync(100)
  }
  expect(answers).toBeGreaterThan(1)
  // That we do not wait for longer is no fault of theirs.
  expect(new Set(penalised)).toEqual(new Set(['UNAVAILABLE']))
})
