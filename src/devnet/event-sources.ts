/** Where a devnet's events come from if it is no file: a git history, or made up. */
import { spawn } from 'node:child_process'
import { basename, resolve } from 'node:path'
import { Outcome } from '../chain/event.ts'
import { MAX_ACTOR_NAME_BYTES } from '../chain/event-bounds.ts'
import { textLines } from '../codec/strict-text.ts'
import { hasCode, MolochError, messageOf } from '../error.ts'
import { type EventInput, eventInput } from './event-input.ts'

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
    for await (const { text } of textLines(git.stdout)) {
      const [commit = '', author = '', committed = '', authored = '', parents = ''] = text.split('\x1f')
      const action = parents.includes(' ') ? 'git.merge' : 'git.commit'
      yield eventInput(
        clipped(author.trim() || 'unknown'),
        { action, kind, id: commit, occurredAt: Number(committed) * 1000 },
        [['authored', `${Number(authored) * 1000}`]]
      )
    }
    const failure = await ended
    if (failure !== undefined) {
      throw new MolochError(
        'BAD_REPOSITORY',
        `no git history in ${repository} (${failure}); --git takes a folder with a git repository`
      )
    }
  } catch (error) {
    if (!hasCode(error, 'BAD_TEXT')) throw error
    throw new MolochError('BAD_REPOSITORY', `the history of ${repository}: of git log ${error.message}`)
  } finally {
    git.kill()
  }
}

/** The longest start of the name that fits, cut between characters. */
function clipped(name: string): string {
  let out = ''
  for (const character of name) {
    if (Buffer.byteLength(out) + Buffer.byteLength(character) > MAX_ACTOR_NAME_BYTES) break
    out += character
  }
  return out
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
      [
        ['n', String(n)],
        ['session', random().toString(16).padStart(8, '0')]
      ]
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
