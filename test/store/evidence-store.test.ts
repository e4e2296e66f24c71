import { expect, onTestFinished, test } from 'vitest'
import { Database } from '../../src/store/database.ts'
import { EvidenceStore } from '../../src/store/evidence-store.ts'
import { tempDir } from '../support/temp-dir.ts'

const MIB = 1 << 20

async function open(path: string) {
  const database = await Database.open(path, { genesisHash: new Uint8Array(32), create: true })
  const evidence = new EvidenceStore(database)
  await evidence.load()
  return { database, evidence }
}

const record = (kind: string, height: number, bytes: number) => ({
  kind,
  height,
  seenAt: 1,
  validators: [new Uint8Array(32)],
  description: kind,
  parts: [new Uint8Array(bytes)]
})

test('large invalid proposals are bounded and leave room for what is small, also after a restart', async () => {
  const path = tempDir()
  const first = await open(path)
  let kept = 0
  while (await first.evidence.add(record('invalid-proposal', kept, 8 * MIB), '0')) kept++
  expect(kept).toBe(7)
  expect(await first.evidence.add(record('votes', 1, 300), '0/PREVOTE')).toBe(true)
  await first.database.close()

  const { database, evidence } = await open(path)
  onTestFinished(() => database.close())
  expect(await evidence.add(record('invalid-proposal', 100, 8 * MIB), '0')).toBe(false)
  expect(await evidence.add(record('votes', 100, 300), '0/PREVOTE')).toBe(true)
  expect(await evidence.add(record('proposals', 100, 300), '0/proposals')).toBe(true)
  const kinds = (await evidence.highest(3)).map(({ kind, height }) => `${height} ${kind}`)
  expect(kinds.sort()).toEqual(['100 proposals', '100 votes', '6 invalid-proposal'])
})
