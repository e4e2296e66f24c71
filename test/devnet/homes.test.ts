import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { devnetCommand } from '../../src/devnet/command.ts'
import { Devnet } from '../../src/devnet/devnet.ts'
import { freePorts } from '../../src/devnet/ports.ts'
import { loadConfig } from '../../src/node/config/load.ts'
import { openHome } from '../../src/node/home.ts'
import { HomeLock } from '../../src/node/home-lock.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'moloch-homes-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

test('every node has a home that the node itself can open, with the others as bootstrap peers', async () => {
  const devnet = await Devnet.create(join(dir, 'net'), { validators: 3, nodes: 1 })
  expect(devnet.nodes.map((node) => node.name)).toEqual(['validator-1', 'validator-2', 'validator-3', 'node-1', 'late'])
  const hashes = new Set<string>()
  for (const node of devnet.nodes) {
    const home = openHome(node.home)
    hashes.add(Buffer.from(home.genesis.hash).toString('hex'))
    expect(home.genesis.params.snapshotInterval).toBe(10)
    expect(home.validatorKey !== undefined).toBe(node.role === 'validator')
    const { config } = loadConfig({ home: node.home, file: join(node.home, 'config.toml') })
    expect(`${config.p2p.listen[0]}/p2p/${node.peerId}`).toBe(node.address)
    const others = devnet.nodes.filter((other) => other.name !== node.name && other.role !== 'late')
    expect(config.p2p.bootstrap).toEqual(others.map((other) => other.address))
    expect(node.api.url).toBe(`http://127.0.0.1:${config.api.port}`)
  }
  expect(hashes.size).toBe(1)
})

test('the same seed gives the same keys', async () => {
  const ids = async (name: string, seed: number) =>
    (await Devnet.create(join(dir, name), { seed })).nodes.map((node) => node.peerId)
  expect(await ids('a', 5)).toEqual(await ids('b', 5))
  expect(await ids('c', 6)).not.toEqual(await ids('a', 5))
})

test('an earlier devnet is replaced; anything else is left alone and named', async () => {
  await Devnet.create(dir, { validators: 2 })
  await writeFile(join(dir, 'validator-1', 'data', 'old'), '')
  await writeFile(join(dir, 'notes.txt'), 'words')
  const devnet = await Devnet.create(dir, { validators: 1 })
  expect((await readdir(dir)).sort()).toEqual(['devnet.json', 'late', 'node-1', 'notes.txt', 'validator-1'])
  expect(await readdir(join(dir, 'validator-1', 'data'))).toEqual([])

  await devnet.remove()
  expect(await readdir(dir)).toEqual(['notes.txt'])

  const precious = join(dir, 'precious')
  await mkdir(precious)
  await writeFile(join(precious, 'thesis.txt'), 'words')
  await expect(Devnet.create(precious)).rejects.toThrow('is not empty and has no devnet.json')
  expect(await readFile(join(precious, 'thesis.txt'), 'utf8')).toBe('words')
  await expect(Devnet.create(join(precious, 'thesis.txt'))).rejects.toThrow('is not a directory')
  expect((await stat(join(precious, 'thesis.txt'))).size).toBe(5)
})

test('a network that a node runs in is not replaced, whoever started the node', async () => {
  const devnet = await Devnet.create(dir, { validators: 2, nodes: 0, late: false })
  await devnet.stop()
  const { home } = devnet.node('validator-2')
  const genesisHash = openHome(home).genesis.hash
  const lock = await HomeLock.take(home)
  await expect(Devnet.create(dir)).rejects.toMatchObject({
    code: 'DEVNET_RUNNING',
    message: `validator-2 of ${dir} runs; stop it or give another --dir`
  })
  expect(openHome(home).genesis.hash).toEqual(genesisHash)
  await lock.release()
  await Devnet.create(dir, { validators: 1, nodes: 0, late: false })
  expect((await readdir(dir)).sort()).toEqual(['devnet.json', 'validator-1'])
})

test('light nodes dial the others, and nobody dials them', async () => {
  const devnet = await Devnet.create(join(dir, 'net'), { validators: 1, nodes: 1, light: 2, late: false })
  expect(devnet.nodes.map((node) => node.name)).toEqual(['validator-1', 'node-1', 'light-1', 'light-2'])
  for (const node of devnet.nodes) {
    const { config } = loadConfig({ home: node.home, file: join(node.home, 'config.toml') })
    expect(config.mode).toBe(node.role === 'light' ? 'light' : 'full')
    const others = devnet.nodes.filter((other) => other.name !== node.name && other.role !== 'light')
    expect(config.p2p.bootstrap).toEqual(others.map((other) => other.address))
  }
})

test('ports in use are not given out, nor one twice', async () => {
  const [one, other] = await Promise.all([freePorts(10), freePorts(10)])
  expect(new Set([...one, ...other]).size).toBe(20)
  const [first] = await freePorts(1)
  const server = createServer()
  await new Promise<void>((done) => server.listen(first, '127.0.0.1', done))
  try {
    const ports = await freePorts(20)
    expect(new Set(ports).size).toBe(20)
    expect(ports).not.toContain(first)
  } finally {
    await new Promise((done) => server.close(done))
  }
})

test('an unknown node is named with those there are', async () => {
  const devnet = await Devnet.create(dir, { validators: 1, nodes: 0, late: false })
  expect(() => devnet.node('validator-2')).toThrow('no node named validator-2; there are validator-1')
})

test('homes for hosts of their own: they find each other by name, and are made once', async () => {
  const run = (...args: string[]) => {
    const program = new Command().exitOverride()
    devnetCommand(program)
    return program.parseAsync(['devnet', 'homes', '--dir', join(dir, 'net'), ...args], { from: 'user' })
  }
  await run('--validators', '2', '--nodes', '1')
  expect((await readdir(join(dir, 'net'))).sort()).toEqual(['devnet.json', 'node-1', 'validator-1', 'validator-2'])
  const home = join(dir, 'net', 'node-1')
  const { config } = loadConfig({ home, file: join(home, 'config.toml') })
  expect(config.p2p.listen).toEqual(['/ip4/0.0.0.0/tcp/9645'])
  expect(config.p2p.bootstrap[0]).toMatch(/^\/dns4\/validator-1\/tcp\/9645\/p2p\/12D3/)
  expect(config.api).toMatchObject({ host: '0.0.0.0', port: 8645, public: true })

  const before = await readFile(join(home, 'genesis.json'), 'utf8')
  await run('--validators', '2', '--nodes', '1')
  expect(await readFile(join(home, 'genesis.json'), 'utf8')).toBe(before)

  await expect(run('--validators', '2', '--nodes', '2')).rejects.toThrow(
    `${join(dir, 'net')} has a network of 2 validators and 1 node; remove it first or choose another --dir`
  )
  expect(await readFile(join(home, 'genesis.json'), 'utf8')).toBe(before)
})

test('every node is told where to trace to, and traces outlive the homes', async () => {
  const own = join(dir, 'net')
  const traces = join(own, 'traces')
  const devnet = await Devnet.create(own, { validators: 1, nodes: 0, trace: traces })
  for (const node of devnet.nodes) {
    const { config } = loadConfig({ home: node.home, file: join(node.home, 'config.toml') })
    expect(config.trace.file).toBe(join(traces, node.name))
  }
  expect(devnet.traces).toEqual([])
  await mkdir(traces)
  for (const file of [
    'late-000001.pb',
    'validator-1-000002.pb',
    'validator-1-000001.pb',
    'notes.txt',
    'node-9-000001.pb'
  ])
    await writeFile(join(traces, file), '')
  const files = ['late-000001.pb', 'validator-1-000001.pb', 'validator-1-000002.pb'].map((file) => join(traces, file))
  expect(devnet.traces).toEqual(files)
  await devnet.remove()
  expect((await readdir(own)).sort()).toEqual(['devnet.json', 'traces'])

  // Elsewhere they are somebody's, and would be mixed with the new ones; here they are an earlier devnet's.
  await expect(Devnet.create(join(dir, 'other'), { validators: 1, nodes: 0, trace: traces })).rejects.toThrow(
    `${traces} has traces of an earlier run (3 files)`
  )
  await Devnet.create(own, { validators: 1, nodes: 0, trace: traces })
  // What somebody put beside the old traces is not the devnet's to remove.
  expect((await readdir(own)).sort()).toEqual(['devnet.json', 'late', 'traces', 'validator-1'])
  expect(await readdir(traces)).toEqual(['notes.txt'])
})
