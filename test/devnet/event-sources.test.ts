import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type EventInput, parseEventLine } from '../../src/devnet/event-input.ts'
import { eventsFile } from '../../src/devnet/event-lines.ts'
import { gitHistory, synthetic } from '../../src/devnet/event-sources.ts'
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

  test('values that are no text are signed as they are written', () => {
    const more =
      '"a":9007199254740993,"b":1e400,"c":-0,"d":1.50,"e":{ "z":[1,  2.0],"1":"\\u00e9" },"f":true,"g":"\\u00e9","__proto__":1'
    const line = `{"action":"a","resource":{"kind":"k","id":"i"},${more}}`
    expect(parseEventLine(line).fields.metadata).toEqual([
      { key: '__proto__', value: '1' },
      { key: 'a', value: '9007199254740993' },
      { key: 'b', value: '1e400' },
      { key: 'c', value: '-0' },
      { key: 'd', value: '1.50' },
      { key: 'e', value: '{ "z":[1,  2.0],"1":"\\u00e9" }' },
      { key: 'f', value: 'true' },
      { key: 'g', value: 'é' }
    ])
  })

  test('a time in digits, or with its zone', () => {
    const timed = (time: string) =>
      parseEventLine(`{"action":"a","resource":{"kind":"k","id":"i"},"occurred_at":${time}}`).fields.occurredAt
    expect(timed('9007199254740991')).toBe(9007199254740991)
    expect(timed('"2026-01-31T12:00:00+01:00"')).toBe(Date.UTC(2026, 0, 31, 11))
    expect(timed('null')).toBeUndefined()
  })

  test('nobody is named who was not, and who was keeps the name', () => {
    const line = (more: string) => parseEventLine(`{"action":"a","resource":{"kind":"k","id":"i"}${more}}`)
    expect(line('')).toMatchObject({ actor: 'anonymous', fields: { actorName: undefined } })
    expect(line(',"actor":"anonymous"').fields.actorName).toBe('anonymous')
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
    ...[
      '1.5',
      '9007199254740993',
      '1e400',
      '1e3',
      '-0',
      '-1',
      '"2026"',
      '"2026-01-31T12:00:00"',
      '"ticket 5"',
      '{}'
    ].map((time) => [
      `{"action":"a","resource":{"kind":"k","id":"i"},"occurred_at":${time}}`,
      `occurred_at is ${time}; Unix`
    ]),
    [`{"action":"a","resource":{"kind":"k","id":"i"},"actor":"${'é'.repeat(40)}"}`, 'actor_name is 80 bytes long'],
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

  test('bytes that are no UTF-8, a BOM and a gzipped file by another name are named with their line', async () => {
    const path = join(dir, 'a.jsonl')
    const latin1 = Buffer.from('{"action":"a","resource":{"kind":"k","id":"caf\xe9"}}', 'latin1')
    await writeFile(path, Buffer.concat([Buffer.from(`${COMMIT}\n\n`), latin1]))
    await expect(openInput({ events: path, seed: 1 })).rejects.toThrow(`${path} line 3 is not UTF-8`)
    await writeFile(`${path}.gz`, gzipSync(latin1))
    await expect(openInput({ events: `${path}.gz`, seed: 1 })).rejects.toThrow(`${path}.gz line 1 is not UTF-8`)
    await writeFile(path, `\ufeff${COMMIT}`)
    await expect(openInput({ events: path, seed: 1 })).rejects.toThrow('line 1 begins with a byte order mark (BOM)')
    await writeFile(path, gzipSync(COMMIT))
    await expect(openInput({ events: path, seed: 1 })).rejects.toThrow('line 1 begins as a gzipped file does')
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

  test('a name that is no UTF-8 is refused', async () => {
    const repo = join(dir, 'latin1')
    execFileSync('git', ['init', '-q', '-b', 'main', repo])
    const tree = execFileSync('git', ['-C', repo, 'hash-object', '-w', '-t', 'tree', '/dev/null'], { encoding: 'utf8' })
    const who = 'Jos\xe9 <j@example.org> 1700000000 +0000'
    const text = `tree ${tree.trim()}\nauthor ${who}\ncommitter ${who}\n\none\n`
    const commit = execFileSync('git', ['-C', repo, 'hash-object', '-w', '-t', 'commit', '--stdin'], {
      input: Buffer.from(text, 'latin1'),
      encoding: 'utf8'
    }).trim()
    execFileSync('git', ['-C', repo, 'update-ref', 'HEAD', commit])
    await expect(openInput({ git: repo, seed: 1 })).rejects.toMatchObject({
      code: 'BAD_REPOSITORY',
      message: expect.stringMatching(/latin1: of git log line 1 is not UTF-8/)
    })
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
