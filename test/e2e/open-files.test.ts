import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { eventually, moloch, project, temporary } from './support.ts'

async function makeHome(): Promise<string> {
  const net = join(await temporary(), 'net')
  await moloch('init', '--devnet', '1', '--home', net)
  return join(net, 'validator-1')
}

/** The node, with so many files that it may open. */
function startWith(files: number, home: string, ...args: readonly string[]) {
  const cli = join(project, 'dist/cli/main.js')
  const command = `ulimit -n ${files}; exec "$0" "$@"`
  const free = ['--p2p-listen', '/ip4/127.0.0.1/tcp/0', '--api-port', '0']
  const child = spawn('bash', ['-c', command, process.execPath, cli, 'start', '--home', home, ...free, ...args], {
    stdio: ['ignore', 'pipe', 'pipe']
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text) => {
      said[name] += text
    })
  }
  const ended = new Promise<number | null>((done) => child.once('close', done))
  return { child, said, ended }
}

test.skipIf(process.platform !== 'linux')(
  'a limit of open files that is too small is said at start, with the number',
  async () => {
    const home = await makeHome()
    const { child, said, ended } = startWith(400, home, '--p2p-max-peers', '150')
    await eventually('the node to be ready', () => said.stdout.includes(' ready: '), 60_000)
    const lines = said.stderr.split('\n').filter((line) => line.includes('the limit of open files'))
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatch(
      /limit of open files is 400, and this configuration may need (\d+) .*`ulimit -n \1`.*LimitNOFILE=\1/
    )
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
  }
)

test.skipIf(process.platform !== 'linux')(
  'one with which nothing would work keeps it from starting, before it opens anything',
  async () => {
    const home = await makeHome()
    const { said, ended } = startWith(100, home)
    expect(await ended).toBe(1)
    expect(said.stderr.trimEnd()).toMatch(
      /^moloch: the limit of open files is 100, and at least 256 are needed to start at all, more for peers and callers: `ulimit -n 256`[^\n]*$/
    )
    expect(existsSync(join(home, 'data', 'chain'))).toBe(false)
  }
)
