import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach } from 'vitest'
import { fromHex } from '../../src/codec/bytes.ts'
import { Devnet } from '../../src/devnet/devnet.ts'
import { synthetic } from '../../src/devnet/event-sources.ts'
import { Feeder } from '../../src/devnet/feeder.ts'
import type { DevnetSpec } from '../../src/devnet/spec.ts'
import { messageOf } from '../../src/error.ts'
import { until } from '../support/until.ts'

export const project = fileURLToPath(new URL('../..', import.meta.url))
const cli = join(project, 'dist/cli/main.js')

/** Fast enough for a test, slow enough for two cores that run everything. */
const PARAMS = { blockIntervalMs: 500, emptyBlockIntervalMs: 1000 }

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** A directory that is removed after the test. */
export async function temporary(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'moloch-e2e-'))
  cleanups.push(() => rm(dir, { recursive: true, force: true }))
  return dir
}

/** A devnet that is stopped after the test. */
export async function network(spec: Partial<DevnetSpec>): Promise<Devnet> {
  const devnet = await Devnet.create(join(await temporary(), 'net'), { ...spec, params: { ...PARAMS, ...spec.params } })
  cleanups.push(() => devnet.stop())
  return devnet
}

/** Feeds made-up events to all validators until the test ends. */
export async function feed(devnet: Devnet, rate: number): Promise<Feeder> {
  const validators = devnet.nodes.filter((node) => node.role === 'validator')
  const { genesis_hash } = await devnet.status(validators[0]?.name ?? '')
  const feeder = new Feeder({
    events: following(synthetic(1)),
    rate,
    genesisHash: fromHex(genesis_hash, 32) as Uint8Array,
    seed: 1,
    targets: validators.map((node) => node.api)
  })
  cleanups.push(() => feeder.stop())
  feeder.start()
  return feeder
}

async function* following<T>(source: Iterable<T>): AsyncGenerator<T> {
  yield* source
}

export async function heightOf(devnet: Devnet, name: string): Promise<number> {
  return (await devnet.status(name)).finalized.height
}

export async function reaches(devnet: Devnet, names: readonly string[], height: number, ms: number): Promise<void> {
  const all = async () => (await Promise.all(names.map((name) => heightOf(devnet, name)))).every((h) => h >= height)
  await eventually(`${names.join(', ')} to reach height ${height}`, all, ms)
}

/** Waits until a condition holds: `ms` on an idle machine. One that throws does not hold yet. */
export async function eventually(what: string, condition: () => boolean | Promise<boolean>, ms: number): Promise<void> {
  let last: unknown
  const holds = async (): Promise<boolean> => {
    try {
      return await condition()
    } catch (error) {
      last = error
      return false
    }
  }
  await until(what, holds, ms).catch((error: unknown) => {
    throw new Error(`${messageOf(error)}${last === undefined ? '' : ` (${messageOf(last)})`}`, { cause: error })
  })
}

/** All nodes have one hash at the lowest height of any of them. */
export async function oneChain(devnet: Devnet): Promise<{ height: number; hashes: Set<string | undefined> }> {
  const height = Math.min(...(await Promise.all(devnet.running.map((node) => heightOf(devnet, node.name)))))
  const hashes = await Promise.all(devnet.running.map((node) => node.api.blockHash(height)))
  return { height, hashes: new Set(hashes) }
}

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** Starts the built CLI, or another program of the checkout. */
export function launch(
  args: readonly string[],
  command = process.execPath
): { child: ChildProcess; ended: Promise<Ended> } {
  const whole = command === process.execPath ? [cli, ...args] : [...args]
  const child = spawn(command, whole, { stdio: ['ignore', 'pipe', 'pipe'], cwd: project })
  cleanups.push(async () => {
    child.kill('SIGKILL')
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const ended = new Promise<Ended>((done) => {
    child.once('close', (code, signal) => done({ code, signal, stdout, stderr }))
  })
  return { child, ended }
}

/** Runs the built CLI to its end. */
export function moloch(...args: string[]): Promise<Ended> {
  return launch(args).ended
}

/** Processes of this machine that have `text` in their command line. */
export async function processesWith(text: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))
  return pids.filter((pid, i) => lines[i]?.includes(text) && Number(pid) !== process.pid).map(Number)
}

export interface LogLine {
  readonly level: string
  readonly time: string
  readonly msg: string
  readonly [detail: string]: unknown
}

/** A node's log lines from `since` (Unix ms) on; what is no JSON (a stack, a warning of Node's) counts as an error. */
export function logLines(devnet: Devnet, name: string, since = 0): LogLine[] {
  const lines = devnet
    .log(name)
    .split('\n')
    .filter((line) => line !== '')
  return lines.map(parsed).filter((line) => line.time === '' || Date.parse(line.time) >= since)
}

function parsed(line: string): LogLine {
  try {
    return JSON.parse(line) as LogLine
  } catch {
    return { level: 'error', time: '', msg: line }
  }
}
