import '../../src/polyfill.ts'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { checkpointText } from '../../src/chain/checkpoint.ts'
import { Signer } from '../../src/consensus/signer.ts'
import type { KeyPair } from '../../src/crypto/ed25519.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { importSnapshot } from '../../src/ledger/snapshot/import-snapshot.ts'
import { silentLog } from '../../src/log.ts'
import { defaultConfig } from '../../src/node/config/load.ts'
import { createHome } from '../../src/node/create-home.ts'
import { homePaths } from '../../src/node/home.ts'
import { startNode } from '../../src/node/node.ts'
import { Staging } from '../../src/sync/warp/staging.ts'
import { type SnapshotSource, snapshotSource } from '../ledger/support/snapshot-source.ts'
import { until } from '../network/support/hosts.ts'
import { LogBook } from '../network/support/nodes.ts'
import { ChainMaker } from '../support/chain-maker.ts'
import { tempDir } from '../support/temp-dir.ts'
import { server } from '../sync/warp/support/world.ts'

const HEIGHT = 20

let source: SnapshotSource
beforeEach(async () => {
  source = await snapshotSource(HEIGHT)
})

const checkpoint = (height = HEIGHT): string =>
  checkpointText({ height, hash: source.chain.blocks[height - 1]?.hash as Uint8Array })

async function homeOf(validator?: KeyPair): Promise<string> {
  const home = join(tempDir(), 'home')
  const seeds = validator === undefined ? {} : { validator: validator.secretKey.slice(0, 32) }
  await createHome({ home, genesis: source.chain.genesis, seeds })
  return home
}

function configOf(home: string, settings: Parameters<typeof defaultConfig>[1] = {}) {
  const local = { 'api.port': 0, 'p2p.listen': ['/ip4/127.0.0.1/tcp/0'], 'p2p.mdns': false }
  return defaultConfig(home, { ...local, ...settings })
}

const warping = (settings: Parameters<typeof defaultConfig>[1] = {}) => ({
  mode: 'warp',
  checkpoint: checkpoint(),
  ...settings
})

/** A port that is free now. */
function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number }
      probe.close(() => resolve(port))
    })
  })
}

/** A server whose chunks come only once they are let go. */
async function holdingServer() {
  let go = (): void => {}
  const gate = new Promise<void>((resolve) => {
    go = resolve
  })
  const peer = await server(source, {
    readChunk: async (at, chunk) => {
      await gate
      return source.snapshots.readChunk(at, chunk)
    }
  })
  return { address: `${peer.address}`, go }
}

describe('while a node warps', () => {
  test('the API says so and has no proofs, and at one port, with no moment between, it is the whole node’s', async () => {
    const peer = await holdingServer()
    const port = await freePort()
    const home = await homeOf()
    const config = configOf(home, warping({ 'api.port': port, 'p2p.bootstrap': [peer.address] }))
    const starting = startNode(config, silentLog)
    onTestFinished(async () => (await starting).stop())
    const url = `http://127.0.0.1:${port}`
    const get = async (path: string) => {
      const answer = await fetch(`${url}${path}`)
      return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
    }
    const phase = async () => ((await get('/v1/sync')).body as { warp?: { phase: string } }).warp?.phase
    await until('the download', async () => (await phase().catch(() => undefined)) === 'downloading')
    const id = 'ab'.repeat(32)
    const paths = ['checkpoint', `proofs/events/${id}`, 'proofs/headers/1', 'proofs/consistency?from=1&to=2']
    for (const path of [...paths, 'proofs/history?action=a']) {
      const { status, body } = await get(`/v1/${path}`)
      expect({ path, status, body }).toMatchObject({ status: 503, body: { code: 'NOT_READY' } })
      expect(body.detail).toBe('this node warps to a snapshot and has no chain yet: see /v1/sync')
    }

    let started = false
    const heights = new Set<number>()
    const asking = (async () => {
      while (!started)
        heights.add(((await get('/v1/status')).body as { finalized: { height: number } }).finalized.height)
    })()
    peer.go()
    const node = await starting
    started = true
    await asking
    expect(node.apiUrl).toBe(url)
    expect([...heights]).toContain(0)
    expect((await get('/v1/checkpoint')).body).toMatchObject({ checkpoint: checkpoint() })
    expect((await get('/v1/proofs/headers/20')).status).toBe(200)
  })

  test('a second start is told that the home is in use, and leaves the import of the first alone', async () => {
    const peer = await holdingServer()
    const home = await homeOf()
    const config = configOf(home, warping({ 'p2p.bootstrap': [peer.address] }))
    const first = startNode(config, silentLog)
    onTestFinished(async () => (await first).stop())
    const { chain, peers } = homePaths(home)
    // The first cleared away what it found before it opened this.
    await until('the first runs', () => existsSync(join(peers, 'CURRENT')))
    mkdirSync(`${chain}.staged`)
    writeFileSync(join(`${chain}.staged`, 'rows'), 'imported')
    await expect(startNode(config, silentLog)).rejects.toMatchObject({
      code: 'HOME_LOCKED',
      message: `another process works on the home ${home}: stop that one, or use another home`
    })
    expect(readFileSync(join(`${chain}.staged`, 'rows'), 'utf8')).toBe('imported')
    peer.go()
    const node = await first
    expect(node.height).toBe(HEIGHT)
    await node.stop()
    const again = await startNode(config, silentLog)
    await again.stop()
  })
})

describe('before a node warps', () => {
  test('its signer is opened: a log of another key is found without a peer', async () => {
    const [key, other] = source.chain.maker.validators as [KeyPair, KeyPair]
    const home = await homeOf(key)
    const config = configOf(home, warping())
    const { signer: path, keys } = homePaths(home)
    const { hash } = source.chain.genesis
    const signer = await Signer.open({ path, markPath: join(keys, 'other.mark'), key: other, genesisHash: hash })
    await signer.close()
    await expect(startNode(config, silentLog)).rejects.toMatchObject({ code: 'SIGNER_OTHER_KEY' })
  })

  test('a validator that begins with a snapshot signs nothing before the others have passed two heights', async () => {
    const home = await homeOf(source.chain.maker.validators[0])
    const peer = await server(source)
    const settings = warping({ 'p2p.bootstrap': [peer.address] })
    const first = await startNode(configOf(home, settings), silentLog)
    expect(first.role).toBe('validator')
    const status = await (await fetch(`${first.apiUrl}/v1/status`)).json()
    expect((status as { abstains: string }).abstains).toMatch(/signs nothing until/)
    await first.stop()
  })
})

function importHere(path: string): Promise<void> {
  const { manifest, snapshots, chain } = source
  const readChunk = (chunk: number) => snapshots.readChunk(HEIGHT, chunk)
  return importSnapshot({ genesis: chain.genesis, manifest, path, readChunk })
}

describe('what a warp that was given up left', () => {
  test.each(['full', 'light'])('its chunks go when the mode is %s, and the log says so', async (mode) => {
    const home = await homeOf()
    const { warp } = homePaths(home)
    await (await Staging.begin(warp, source.manifest.bytes, source.manifest.chunks.length)).close()
    const log = new LogBook()
    const node = await startNode(configOf(home, { mode }), log)
    onTestFinished(() => node.stop())
    expect(existsSync(warp)).toBe(false)
    expect(log.of('info', 'the chunks of an unfinished warp are removed')).toHaveLength(1)
  })

  test('an import that waits goes, and one that was not finished, when the mode is light', async () => {
    const home = await homeOf()
    const { chain: path } = homePaths(home)
    await importHere(path)
    mkdirSync(`${path}.staged`)
    const log = new LogBook()
    const node = await startNode(configOf(home, { mode: 'light' }), log)
    onTestFinished(() => node.stop())
    expect([`${path}.new`, `${path}.staged`].filter(existsSync)).toEqual([])
    const line = `the import in ${path}.new is dropped: it is not needed any more`
    expect(log.of('info', line)).toHaveLength(1)
  })

  test('a light node is not made in place of a chain that a switch had moved away', async () => {
    const home = await homeOf()
    const { chain: path } = homePaths(home)
    const { genesis } = source.chain
    await (await Ledger.open({ path, genesis, log: silentLog })).close()
    await importHere(path)
    renameSync(path, `${path}.old`)
    const started = startNode(configOf(home, { mode: 'light' }), silentLog)
    await expect(started).rejects.toMatchObject({ code: 'STORE_OTHER_MODE' })
    expect([path, `${path}.old`, `${path}.new`].map(existsSync)).toEqual([true, false, true])
  })

  test('an import of another chain goes, and the log says so', async () => {
    const { genesis } = new ChainMaker({ ...source.chain.maker.spec, seed: 5 })
    const home = join(tempDir(), 'home')
    await createHome({ home, genesis })
    const { chain: path } = homePaths(home)
    await importHere(path)
    const log = new LogBook()
    const node = await startNode(configOf(home), log)
    onTestFinished(() => node.stop())
    expect(existsSync(`${path}.new`)).toBe(false)
    expect(log.of('info', `the import in ${path}.new is dropped: `)).toHaveLength(1)
  })
})
