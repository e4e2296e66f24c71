import { readdirSync, renameSync, symlinkSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
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
  renameSync(`${path}.aside`, path)
  expect(await world.outcome).toMatchObject({ kind: 'warped', height: 30 })
  expect(new Set(refused)).toEqual(new Set(['NOT_READY']))
  expect(world.penalised.size).toBe(0)
})

test.each(['manifest', 'stored'])('a client that can’t read its %s for now drops no chunk', async (name) => {
  const source = await snapshotSource(30)
  let held: () => void = () => {}
  const called = new Promise<void>((resolve) => {
    held = resolve
  })
  const asked: number[] = []
  const halting = await server(source, {
    readChunk: async (height, chunk) => {
      asked.push(chunk)
      if (asked.length > 2) await called
      return source.snapshots.readChunk(height, chunk)
    }
  })
  const first = await client(source, [halting])
  const { path, folder } = first
  await until('two chunks', () => {
    const state = first.warp.state()
    return state.phase === 'downloading' && state.chunksDone === 2
  })
  first.controller.abort(new Error('called off'))
  await expect(first.outcome).rejects.toThrow('called off')
  held()
  const stored = asked.splice(0).slice(0, 2)
  const files = readdirSync(folder).sort()

  const file = join(folder, name)
  renameSync(file, `${folder}.aside`)
  symlinkSync(file, file)
  const blind = await client(source, [halting], { path, folder })
  await expect(blind.outcome).rejects.toMatchObject({ code: 'STORE_FAILED', details: { path: file } })
  expect(readdirSync(folder).sort()).toEqual(files)
  expect(asked).toEqual([])
  unlinkSync(file)
  renameSync(`${folder}.aside`, file)
  expect(await (await client(source, [halting], { path, folder })).outcome).toMatchObject({ kind: 'warped' })
  expect(asked.filter((chunk) => stored.includes(chunk))).toEqual([])
})
