import { readdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { expect, test } from 'vitest'
import { silentLog } from '../../src/log.ts'
import { type PeerRecord, PeerStore } from '../../src/store/peer-store.ts'
import { tempDir } from '../support/temp-dir.ts'

const MET: PeerRecord = { peerId: 'p', addresses: ['/ip4/127.0.0.1/tcp/1'], seenAt: 5 }
const HELD: PeerRecord = {
  peerId: 'q',
  addresses: [],
  seenAt: 0,
  hold: { verdict: 'ban', code: 'BAD_SEAL', message: 'what it did', since: 1, until: 2 }
}

test('records are there again when it is opened again, the newest of each peer', async () => {
  const path = join(tempDir(), 'peers')
  const store = await PeerStore.open(path, silentLog)
  expect(store.loaded).toEqual([])
  store.save({ ...MET, seenAt: 1 })
  store.save(MET)
  store.save(HELD)
  store.save({ ...MET, peerId: 'gone' })
  store.remove('gone')
  await store.close()
  const again = await PeerStore.open(path, silentLog)
  expect(again.loaded).toEqual([MET, HELD])
  await expect(PeerStore.open(path, silentLog)).rejects.toMatchObject({ code: 'STORE_LOCKED' })
  await again.close()
})

test('a damaged one is moved aside: nothing of the chain hangs on it', async () => {
  const path = join(tempDir(), 'peers')
  const store = await PeerStore.open(path, silentLog)
  store.save(MET)
  await store.close()
  const manifest = readdirSync(path).find((name) => name.startsWith('MANIFEST')) as string
  writeFileSync(join(path, manifest), 'nonsense'.repeat(100))
  const again = await PeerStore.open(path, silentLog)
  expect(again.loaded).toEqual([])
  again.save(HELD)
  await again.close()
  expect(readdirSync(join(path, '..')).sort()).toEqual(['peers', expect.stringMatching(/^peers\.damaged-\d+$/)])
})

test('so is one with a table that is cut short', async () => {
  const path = join(tempDir(), 'peers')
  const store = await PeerStore.open(path, silentLog)
  store.save(MET)
  await store.close()
  // Opening it again empties the journal into a table.
  await (await PeerStore.open(path, silentLog)).close()
  const table = readdirSync(path).find((name) => name.endsWith('.ldb')) as string
  truncateSync(join(path, table), 20)
  const again = await PeerStore.open(path, silentLog)
  expect(again.loaded).toEqual([])
  await again.close()
})

test('rows that are no records are passed over', async () => {
  const path = tempDir()
  const level = new ClassicLevel<string, string>(path)
  await level.put('a', 'no JSON')
  await level.put('b', JSON.stringify({ ...MET, peerId: 'another' }))
  await level.put('c', JSON.stringify({ ...HELD, peerId: 'c', hold: { until: 'tomorrow' } }))
  await level.put('d', JSON.stringify({ peerId: 'd', addresses: [1], seenAt: 1 }))
  await level.put('p', JSON.stringify(MET))
  await level.close()
  const store = await PeerStore.open(path, silentLog)
  expect(store.loaded).toEqual([MET])
  await store.close()
})
