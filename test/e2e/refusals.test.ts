import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { freePorts } from '../../src/devnet/ports.ts'
import { loadConfig } from '../../src/node/config/load.ts'
import { eventually, heightOf, launch, logLines, moloch, network } from './support.ts'

/** A node that cannot start says why in one line and ends with 1. */
async function refused(home: string): Promise<string> {
  const { code, stdout, stderr } = await launch(['start', '--home', home]).ended
  const last = stderr.trimEnd().split('\n').at(-1) ?? ''
  expect(last).toMatch(/^moloch: /)
  expect(stderr).not.toMatch(/^\s+at /m)
  expect(stdout).toBe('')
  expect(code).toBe(1)
  return last
}

test('a peer of another chain is refused at Hello, and both logs say why', async () => {
  const ours = await network({ validators: 1, nodes: 0, late: false, chainId: 'ours' })
  const theirs = await network({ validators: 1, nodes: 0, late: false, chainId: 'theirs', seed: 2 })
  const config = join(theirs.node('validator-1').home, 'config.toml')
  const text = await readFile(config, 'utf8')
  await writeFile(config, text.replace(/^#?bootstrap = .*$/m, `bootstrap = ["${ours.node('validator-1').address}"]`))
  await ours.start()
  await theirs.start()
  for (const devnet of [ours, theirs]) {
    const says = () => logLines(devnet, 'validator-1').some((line) => /WRONG_CHAIN/.test(JSON.stringify(line)))
    await eventually(`${devnet.spec.chainId} to log the refusal`, says, 30_000)
    expect((await devnet.status('validator-1')).peers.connected).toBe(0)
  }
})

test('a port in use is named', async () => {
  const devnet = await network({ validators: 1, nodes: 0, late: false })
  const { home } = devnet.node('validator-1')
  const { config } = loadConfig({ home, file: join(home, 'config.toml') })
  const p2p = Number(config.p2p.listen[0]?.split('/').at(-1))
  for (const port of [p2p, config.api.port]) {
    const server = createServer()
    await new Promise<void>((done) => server.listen(port, '127.0.0.1', done))
    try {
      expect(await refused(home)).toContain(String(port))
    } finally {
      await new Promise((done) => server.close(done))
    }
  }
})

test('a second process on the same home gets one line, and the first goes on', async () => {
  const devnet = await network({ validators: 1, nodes: 0, late: false })
  await devnet.start()
  const { home } = devnet.node('validator-1')
  expect(await refused(home)).toContain(home)
  const { code, stderr } = await moloch('db', 'verify', '--home', home)
  expect(stderr).toContain(home)
  expect(code).toBe(1)
  const height = await heightOf(devnet, 'validator-1')
  await eventually('the first to go on', async () => (await heightOf(devnet, 'validator-1')) > height, 20_000)
})

test('two nodes with one signer home cannot both sign', async () => {
  const devnet = await network({ validators: 1, nodes: 0, late: false })
  await devnet.start()
  const { home } = devnet.node('validator-1')
  const twin = join(devnet.dir, 'twin')
  await mkdir(join(twin, 'data'), { recursive: true })
  for (const name of ['config.toml', 'genesis.json', 'keys']) {
    await cp(join(home, name), join(twin, name), { recursive: true })
  }
  await symlink(join(home, 'data', 'signer'), join(twin, 'data', 'signer'))
  const [p2p, api] = await freePorts(2)
  const config = await readFile(join(twin, 'config.toml'), 'utf8')
  await writeFile(
    join(twin, 'config.toml'),
    config.replace(/^listen = .*$/m, `listen = ["/ip4/127.0.0.1/tcp/${p2p}"]`).replace(/^port = .*$/m, `port = ${api}`)
  )
  expect(await refused(twin)).toMatch(/signer/)
})

test.each([
  ['config.toml', 'mod = "full"\n', '"mod"'],
  ['config.toml', '[api]\nport = 70000\n', 'api.port'],
  ['genesis.json', '{', 'genesis.json'],
  ['keys/peer.key', 'zz\n', 'peer.key']
])('a home with a bad %s is refused in one line', async (file, content, named) => {
  const devnet = await network({ validators: 1, nodes: 0, late: false })
  const { home } = devnet.node('validator-1')
  await writeFile(join(home, file), content)
  expect(await refused(home)).toContain(named)
})

test('a home whose genesis was changed does not open its old chain', async () => {
  const devnet = await network({ validators: 1, nodes: 0, late: false })
  await devnet.start()
  await eventually('a block', async () => (await heightOf(devnet, 'validator-1')) > 0, 30_000)
  await devnet.stop()
  const { home } = devnet.node('validator-1')
  const genesis = JSON.parse(await readFile(join(home, 'genesis.json'), 'utf8')) as { chain_id: string }
  await writeFile(join(home, 'genesis.json'), JSON.stringify({ ...genesis, chain_id: 'other' }))
  expect(await refused(home)).toMatch(/chain/)
})
