import { execFileSync, spawn } from 'node:child_process'
import { closeSync, constants, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { StatusJson } from '../../src/api/schemas.ts'
import { freePorts } from '../../src/devnet/ports.ts'
import { moloch, project, temporary } from './support.ts'

test.each([
  ['a reader that reads nothing', fullPipe],
  ['a full device', fullDevice]
])('a node whose stdout and stderr are %s finalizes, answers and stops in order', async (_, output) => {
  const node = await start(await output())
  const { height } = (await node.status()).finalized
  await expect.poll(async () => (await node.status()).finalized.height, { timeout: 60_000 }).toBeGreaterThan(height + 1)
  node.child.kill('SIGTERM')
  expect(await node.exit).toEqual({ code: 0, signal: null })
})

test('lines that a full device does not take are counted, and status says so', async () => {
  const node = await start(await fullDevice())
  const { log } = await node.status()
  expect(log.fault).toBe('ENOSPC')
  expect(log.lost_lines).toBeGreaterThan(0)
  expect((await moloch('status', '--url', node.url)).stdout).toMatch(
    /^log +\d+ lines are lost, and none is taken now \(ENOSPC\)$/m
  )
  node.child.kill('SIGTERM')
  expect(await node.exit).toEqual({ code: 0, signal: null })
})

test('a reader that has left ends no node, and a stop is in order all the same', async () => {
  const node = await start('pipe')
  // Both: the node says that it is ready on one, and that it stops on the other.
  node.child.stdout?.destroy()
  node.child.stderr?.destroy()
  const { height } = (await node.status()).finalized
  await expect.poll(async () => (await node.status()).finalized.height, { timeout: 60_000 }).toBeGreaterThan(height + 1)
  node.child.kill('SIGTERM')
  expect(await node.exit).toEqual({ code: 0, signal: null })
})

test('gossip watch whose reader has had enough ends well', async () => {
  const node = await start('pipe')
  const child = spawn(process.execPath, [cli, 'gossip', 'watch', '--url', node.url], {
    stdio: ['ignore', 'pipe', 'pipe']
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text
  })
  const code = new Promise((done) => child.once('close', done))
  await new Promise((first) => child.stdout.once('data', first))
  child.stdout.destroy()
  expect(await code).toBe(0)
  expect(stderr).toMatch(/^observing .*\n$/)
})

test('a command that cannot write what it was asked for says so', async () => {
  const full = await fullDevice()
  const child = spawn(process.execPath, [cli, 'version'], { stdio: ['ignore', full, 'pipe'] })
  let stderr = ''
  child.stderr?.setEncoding('utf8').on('data', (text) => {
    stderr += text
  })
  const code = await new Promise((done) => child.once('close', done))
  expect(stderr).toMatch(/^moloch: cannot write to stdout: ENOSPC/)
  expect(code).toBe(1)
})

const cli = join(project, 'dist/cli/main.js')

/** A pipe with a reader, and no room. */
async function fullPipe(): Promise<number> {
  const path = join(await temporary(), 'pipe')
  execFileSync('mkfifo', [path])
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const filler = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)
  for (let part = 1 << 16; part > 0; part >>= 1) {
    try {
      for (;;) writeSync(filler, Buffer.alloc(part))
    } catch {
      // Smaller parts may have room yet.
    }
  }
  closeSync(filler)
  // As a shell would give it: whoever writes there waits.
  const writer = openSync(path, constants.O_WRONLY)
  onTestFinished(() => {
    closeSync(reader)
    closeSync(writer)
  })
  return writer
}

async function fullDevice(): Promise<number> {
  const device = openSync('/dev/full', constants.O_WRONLY)
  onTestFinished(() => closeSync(device))
  return device
}

/** The only validator of a chain, which needs nobody, once its API answers. */
async function start(output: number | 'pipe') {
  const net = join(await temporary(), 'net')
  await moloch('init', '--devnet', '1', '--home', net)
  const [port] = (await freePorts(1)) as [number]
  const home = join(net, 'validator-1')
  const child = spawn(
    process.execPath,
    [cli, 'start', '--home', home, '--p2p-listen', '/ip4/127.0.0.1/tcp/0', '--api-port', String(port)],
    { stdio: ['ignore', output, output] }
  )
  const exit = new Promise((done) => child.once('exit', (code, signal) => done({ code, signal })))
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  const url = `http://127.0.0.1:${port}`
  const status = async () => (await (await fetch(`${url}/v1/status`)).json()) as StatusJson
  await expect.poll(() => fetch(`${url}/health/live`).then(({ status }) => status), { timeout: 60_000 }).toBe(200)
  return { child, exit, status, url }
}
