/** Where a devnet's events come from: a file, a git history, or made up. */
import { spawn } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { Outcome } from '../chain/event.ts'
import { MolochError, messageOf } from '../error.ts'
import { type EventInput, eventInput, parseEventLine } from './event-input.ts'

/** JSON lines, gzipped if the name ends in .gz. @throws MolochError BAD_EVENTS_FILE that names file and line */
export async function* eventsFile(path: string): AsyncGenerator<EventInput> {
  const found = await stat(path).catch(() => undefined)
  if (!found?.isFile()) {
    throw new MolochError('BAD_EVENTS_FILE', `${path} is not a file; --events takes JSON lines (.jsonl or .jsonl.gz)`)
  }
  const file = createReadStream(path)
  const input: Readable = path.endsWith('.gz') ? file.pipe(createGunzip()) : file
  // `pipe` does not pass errors on: without this a read error would leave the reader waiting.
  if (input !== file) file.once('error', (error) => input.destroy(error))
  let number = 0
  try {
    for await (const line of lines(input)) {
      number++
      if (line.trim() === '') continue
      yield parseEventLine(line)
    }
  } catch (error) {
    const where = error instanceof MolochError ? `line ${number}` : `after line ${number}`
    throw new MolochError('BAD_EVENTS_FILE', `${path} ${where}: ${messageOf(error)}`)
  } finally {
    file.destroy()
  }
}

/** The commits of a repository, oldest first. @throws MolochError BAD_REPOSITORY */
export async function* gitHistory(repository: string): AsyncGenerator<EventInput> {
  const fields = ['%H', '%an', '%ct', '%at', '%P']
  const git = spawn('git', ['-C', repository, 'log', '--reverse', `--format=${fields.join('%x1f')}`], {
    stdio: ['ignore', 'pipe', 'pipe']
  })
  let complaint = ''
  git.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(0, 1000)
  })
  const ended = new Promise<string | undefined>((done) => {
    git.once('error', (error) => done(messageOf(error)))
    git.once('close', (code) =>
      done(code === 0 ? undefined : complaint.trim().split('\n')[0] || `git ended with ${code}`)
    )
  })
  const kind = kindOf(repository)
  try {
    for await (const line of lines(git.stdout)) {
      const [commit = '', author = '', committed = '', authored = '', parents = ''] = line.split('\x1f')
      const action = parents.includes(' ') ? 'git.merge' : 'git.commit'
      yield eventInput(
        author.trim() || 'unknown',
        { action, kind, id: commit, occurredAt: Number(committed) * 1000 },
        { authored: Number(authored) * 1000 }
      )
    }
    const failure = await ended
    if (failure !== undefined) {
      throw new MolochError(
        'BAD_REPOSITORY',
        `no git history in ${repository} (${failure}); --git takes a folder with a git repository`
      )
    }
  } finally {
    git.kill()
  }
}

const SERVICES = ['api', 'billing', 'gateway', 'ledger', 'mailer', 'search', 'storage', 'web']
const ACTIONS = [
  'deploy.start',
  'deploy.finish',
  'login',
  'permission.grant',
  'permission.revoke',
  'record.read',
  'record.update'
]

/** Made-up events without end, the same ones for the same seed. */
export function* synthetic(seed: number, actors = 100): Generator<EventInput> {
  const random = generator(seed)
  const pick = (list: readonly string[]) => list[random() % list.length] as string
  for (let n = 0; ; n++) {
    yield eventInput(
      `user-${random() % actors}`,
      {
        action: pick(ACTIONS),
        kind: 'service',
        id: `${pick(SERVICES)}-${random() % 40}`,
        outcome: random() % 20 === 0 ? Outcome.DENIED : Outcome.SUCCESS
      },
      { n, session: random().toString(16).padStart(8, '0') }
    )
  }
}

/** A 32-bit generator (mulberry32): small, seeded, and good enough to vary test data. */
function generator(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return (t ^ (t >>> 14)) >>> 0
  }
}

function kindOf(repository: string): string {
  const name = basename(resolve(repository))
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
  return name.slice(0, 32) || 'git'
}

/** Unlike iterating over readline itself, this fails when the stream does. */
async function* lines(input: Readable): AsyncGenerator<string> {
  const reader = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })
  let failure: Error | undefined
  input.once('error', (error) => {
    failure = error
    reader.close()
  })
  yield* reader
  if (failure !== undefined) throw failure
}
