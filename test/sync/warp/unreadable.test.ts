import { renameSync, symlinkSync, unlinkSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { MolochError } from '../../../src/error.ts'
import { snapshotSource } from '../../ledger/support/snapshot-source.ts'
import { until } from '../../network/support/hosts.ts'
import { client, server } from './support/world.ts'

test('a server that can’t read its snapshot for now is asked again, and not blamed', async () => {
  const source = await snapshotSource(30)
  const { path } = source.snapshots.held(30)?.file ?? { path: '' }
  renameSync(path, `${path}.aside`)
  symlinkSync(path, path)
  const refused: string[] = []
  const world = await client(source, [await server(source)], {
    network: (network) => ({
      getManifest: (...args) => network.getManifest(...args),
      getHeaders: (...args) => network.getHeaders(...args),
      getChunk: async (...args) => {
        try {
          return await network.getChunk(...args)
        } catch (error) {
          refused.push((error as MolochError).code)
          throw error
        }
      }
    })
  })
  await until('the snapshot is asked for again', () => refused.length >= 2)
  unlinkSync(path)
  renameSync(`${path}.aside`, path)
  expect(await world.outcome).toMatchObject({ kind: 'warped', height: 30 })
  expect(new Set(refused)).toEqual(new Set(['NOT_READY']))
  expect(world.penalised.size).toBe(0)
})
