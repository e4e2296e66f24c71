/**
 * A client in Go (test/interop/go), written from docs/protocol.md and protos/ alone, against a devnet of real processes.
 * What it cannot do or finds otherwise than the document says is a fault of ours, or of the document.
 */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { feed, network, project, temporary } from '../e2e/support.ts'

const run = promisify(execFile)
const source = join(project, 'test/interop/go')

async function version(): Promise<string | undefined> {
  try {
    return (await run('go', ['version'], { cwd: source })).stdout.trim()
  } catch {
    return undefined
  }
}

const go = await version()
if (go === undefined) console.warn('left out: the client in Go, for there is no Go here that builds it')

interface Check {
  readonly check: string
  readonly ok: boolean
  readonly detail: string
}

describe.skipIf(go === undefined)('a client written in Go', () => {
  it('says hello, verifies blocks, headers, proofs and a snapshot, and gossips both ways', async () => {
    const binary = join(await temporary(), 'interop')
    await run('go', ['build', '-o', binary, '.'], { cwd: source })
    const devnet = await network({ nodes: 1, late: false, params: { snapshotInterval: 5 } })
    await devnet.start()
    await feed(devnet, 40)
    const node = devnet.nodes.find(({ role }) => role === 'full')
    if (node === undefined) throw new Error('the devnet has no full node')
    const args = ['--peer', node.address, '--genesis', join(node.home, 'genesis.json')]
    const { stdout } = await run(binary, [...args, '--protos', join(project, 'protos'), '--limit', '4m'])
    const checks = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Check)
    expect(checks.filter(({ ok }) => !ok)).toEqual([])
    expect(checks.map(({ check }) => check)).toEqual([
      'nothing before hello',
      'hello, both ways',
      'gossip: every topic',
      'status',
      'blocks, fully verified',
      'gossip: an event of its own',
      'headers',
      'proof of an event',
      'proof of a header',
      'proof of consistency',
      'proof of histories',
      'snapshot',
      'refusals',
      'goodbye'
    ])
  })
})
