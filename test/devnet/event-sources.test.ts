import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type EventInput, parseEventLine } from '../../src/devnet/event-input.ts'
import { eventsFile, gitHistory, synthetic } from '../../src/devnet/event-sources.ts'
import { openInput } from '../../src/devnet/input.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'moloch-events-'))
})
afterEach(() => rm(dir, { recursive: true }))

async function all(source: AsyncIterable<EventInput>): Promise<EventInput[]> {
  const events: EventInput[] = []
  for await (const event of source) events.push(event)
  return events
}

const COMMIT =
  '{"repo":"cometbft","commit":"bec34fc8","actor":"dev-961cf621","time":1397867517000,"authored":1397867516000,"action":"git.commit","type":null,"scope":"p2p","breaking":false}'

describe('a line', () => {
  test('a commit record: repo, commit and time have their places, the rest is metadata, null says nothing', () => {
    expect(parseEventLine(COMMIT)).toEqual({
      actor: 'dev-961cf621',
      fields: {
        action: 'git.commit',
        resource: { kind: 'cometbft', id: 'bec34fc8' },
        occurredAt: 1397867517000,
        outcome: 'SUCCESS',
        actorName: 'dev-961cf621',
        metadata: [
          { key: 'authored', value: '1397867516000' },
          { key: 'breaking', value: 'false' },
          { key: 'scope', value: 'p2p' }
        ]
      }
    })
  })

  test('an event with all that it may have', () => {
    const line =
      '{"action":"login","resource":{"kind":"host","id":"db-1"},"actor":"eve","outcome":"DENIED","occurred_at":5,"metadata":{"ip":"::1"},"b":{"c":1}}'
    expect(parseEventLine(line).fields).toMatchObject({
      occurredAt: 5,
      outcome: 'DENIED',
      metadata: [
        { key: 'b', value: '{"c":1}' },
        { key: 'ip', value: '::1' }
      ]
    })
  })

  test('a long name is cut between characters', () => {
    const { actor, fields } = parseEventLine(
      JSON.stringify({ action: 'a', resource: { kind: 'k', id: 'i' }, actor: 'é'.repeat(40) })
    )
    expect(actor).toBe('é'.repeat(40))
    expect(fields.actorName).toBe('é'.repeat(32))
  })

  test.each([
    ['{', 'not JSON'],
    ['[]', 'not an object'],
    ['{"action":"a"}', 'a line needs "action" and "resource"'],
    ['{"resource":{"kind":"k","id":"i"}}', 'action is missing'],
    ['{"action":"A","resource":{"kind":"k","id":"i"}}', 'action is "A"'],
    ['{"action":"a","resource":"k/i"}', 'resource is "k/i"; {"kind", "id"} is accepted'],
    [
      '{"action":"a","resource":{"kind":"k","id":"i","region":"eu"}}',
      'resource has the key "region"; {"kind", "id"} is accepted'
    ],
    [
      '{"action":"a","resource":{"kind":"k","id":"i"},"ip":"1","metadata":{"ip":"2"}}',
      '"ip" is given twice, in metadata and beside it'
    ],
    ['{"action":"a","resource":{"kind":"k","id":"i"},"ip":"1","ip":"2"}', 'the key "ip" is given twice'],
    ['{"action":"a","resource":{"kind":"k","id":""}}', 'resource.id is 0 bytes long'],
    ['{"action":"a","resource":{"kind":"k","id":"i"},"outcome":"OK"}', 'outcome is "OK"; one of SUCCESS'],
    ['{"action":"a","resource":{"kind":"k","id":"i"},"occurred_at":"now"}', 'occurred_at is "now"'],
    ['{"action":"a","resource":{"kind":"k","id":"i"},"occurred_at":1.5}', 'occurred_at is 1.5'],
    ['{"action":"a","resource":{"kind":"k","id":"i"},"actor":7}', 'actor is 7'],
    [`{"action":"a","resource":{"kind":"k","id":"i"},"x":"${'x'.repeat(20_000)}"}`, 'at most 16384 are accepted']
  ])('%s is refused: %s', (line, message) => {
    expect(() => parseEventLine(line)).toThrow(message)
  })
})

describe('a file', () => {
  test('plain and gzipped give the same events; empty lines are skipped', async () => {
    const text = `${COMMIT}\n\n${COMMIT}\n`
    await writeFile(join(dir, 'a.jsonl'), text)
    await writeFile(join(dir, 'a.jsonl.gz'), gzipSync(text))
    const plain = await all(eventsFile(join(dir, 'a.jsonl')))
    expect(plain).toHaveLength(2)
    expect(await all(eventsFile(join(dir, 'a.jsonl.gz')))).toEqual(plain)
  })

  test('a bad line is named with its number, before anything is fed', async () => {
    const path = join(dir, 'a.jsonl')
    await writeFile(path, `${COMMIT}\n\n{"action":"x"}\n`)
    await expect(openInput({ events: path, seed: 1 })).rejects.toThrow(`${path} line 3: a line needs`)
  })

  test('a file that is none, is empty, or only claims to be gzipped', async () => {
    await expect(openInput({ events: join(dir, 'none'), seed: 1 })).rejects.toThrow('none is not a file')
    await writeFile(join(dir, 'empty'), '')
    await expect(openInput({ events: join(dir, 'empty'), seed: 1 })).rejects.toThrow('holds no event')
    await writeFile(join(dir, 'b.gz'), COMMIT)
    await expect(openInput({ events: join(dir, 'b.gz'), seed: 1 })).rejects.toThrow(/b\.gz after line 0: .*header/)
  })
})

describe('a git history', () => {
  test('oldest first, merges apart, one kind a repository', async () => {
    const repo = join(dir, 'My Repo')
    const git = (...args: string[]) =>
      execFileSync('git', ['-C', repo, '-c', 'user.name=Ann', '-c', 'user.email=a@example.org', ...args], {
        encoding: 'utf8'
      }).trim()
    execFileSync('git', ['init', '-q', '-b', 'main', repo])
    git('commit', '-q', '--allow-empty', '-m', 'one')
    git('checkout', '-q', '-b', 'side')
    git('commit', '-q', '--allow-empty', '-m', 'two')
    git('checkout', '-q', 'main')
    git('merge', '-q', '--no-ff', '-m', 'three', 'side')
    const events = await all(gitHistory(repo))
    expect(events.map(({ fields }) => fields.action)).toEqual(['git.commit', 'git.commit', 'git.merge'])
    expect(events[2]).toMatchObject({
      actor: 'Ann',
      fields: { resource: { kind: 'my-repo', id: git('rev-parse', 'HEAD') } }
    })
    expect(events[0]?.fields.occurredAt).toBe(Number(git('log', '-1', '--format=%ct', 'HEAD~1')) * 1000)
  })

  test('a folder without one is refused in one line', async () => {
    const message = await openInput({ git: join(dir, 'none'), seed: 1 }).catch((error: Error) => error.message)
    expect(message).toMatch(/^no git history in .*none \(.*\); --git takes a folder with a git repository$/)
  })

  test('two inputs exclude each other', async () => {
    await expect(openInput({ git: dir, events: dir, seed: 1 })).rejects.toThrow('--events and --git exclude each other')
  })
})

test('synthetic events are a function of the seed, and within the bounds of the chain', () => {
  const some = (seed: number) => {
    const events = synthetic(seed)
    return Array.from({ length: 200 }, () => events.next().value as EventInput)
  }
  expect(some(7)).toEqual(some(7))
  expect(some(7)).not.toEqual(some(8))
  const kinds = new Set(some(7).map(({ fields }) => fields.action))
  expect(kinds.size).toBeGreaterThan(3)
  for (const { actor, fields } of some(7)) {
    const { action, resource, outcome, metadata } = fields
    const line = {
      actor,
      action,
      resource,
      outcome,
      metadata: Object.fromEntries(metadata.map((m) => [m.key, m.value]))
    }
    expect(parseEventLine(JSON.stringify(line)).fields).toEqual(fields)
  }
})
