import '../../src/polyfill.ts'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createGenesis } from '../../src/chain/genesis.ts'
import { toHex } from '../../src/codec/bytes.ts'
import { keyPairFromSeed } from '../../src/crypto/ed25519.ts'
import { silentLog } from '../../src/log.ts'
import { defaultConfig } from '../../src/node/config/load.ts'
import { createHome } from '../../src/node/create-home.ts'
import { startNode } from '../../src/node/node.ts'
import type { RunningNode } from '../../src/node/running.ts'
import { moloch } from './support/run.ts'

const SEED = new Uint8Array(32).fill(5)

let dir: string
let home: string
let node: RunningNode
let env: Record<string, string>

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'moloch-cli-'))
  home = join(dir, 'home')
  const genesis = createGenesis({
    chainId: 'online',
    timestamp: Date.now(),
    validators: [{ name: 'only', publicKey: keyPairFromSeed(SEED).publicKey }],
    params: { blockIntervalMs: 50, emptyBlockIntervalMs: 200 }
  })
  const settings = { 'p2p.listen': ['/ip4/127.0.0.1/tcp/0'], 'api.port': 0 }
  await createHome({ home, genesis, settings, seeds: { validator: SEED }, isNewKey: true })
  node = await startNode(defaultConfig(home, settings), silentLog)
  env = { MOLOCH_URL: node.apiUrl, MOLOCH_HOME: home }
})
afterAll(async () => {
  await node.stop()
  rmSync(dir, { recursive: true, force: true })
})

async function json(args: string[], stdin?: string) {
  const ran = await moloch([...args, '--json'], stdin === undefined ? { env } : { env, stdin })
  expect(ran).toMatchObject({ code: 0 })
  return JSON.parse(ran.out)
}

test('status, for people and programs', async () => {
  const status = await json(['status'])
  expect(status).toMatchObject({ chain_id: 'online', role: 'validator', peer_id: node.peerId })
  const { out } = await moloch(['status'], { env })
  expect(out).toMatch(/^chain +online \(genesis [0-9a-f]{64}\)$/m)
  expect(out).toMatch(/^state +CONNECTING$/m)
})

test('checkpoint show: what a light node starts from', async () => {
  const shown = await json(['checkpoint', 'show'])
  const { hash, header } = await json(['block', 'get', String(shown.height)])
  expect(shown).toEqual({
    height: header.height,
    hash,
    chain_id: 'online',
    genesis_hash: (await json(['status'])).genesis_hash,
    timestamp: header.timestamp,
    checkpoint: `${header.height}:${hash}`,
    snapshot: null
  })
  const { out } = await moloch(['checkpoint', 'show'], { env })
  expect(out).toMatch(/^checkpoint +\d+:[0-9a-f]{64}$/m)
  expect(out).toMatch(/^time +20\S+Z \(\d+ s ago\)$/m)
  expect(out).toMatch(new RegExp(`^chain +online \\(genesis ${shown.genesis_hash}\\)$`, 'm'))
  expect(out).toMatch(/^light node +--mode light --checkpoint \d+:[0-9a-f]{64}$/m)
  expect(out).toMatch(/^full node +no snapshot here yet$/m)
})

test('peers: none, and what can be done about them', async () => {
  expect(await json(['peers'])).toEqual({ peers: [], held: [], known: 0, next_cursor: null })
  expect(await json(['peers', 'list'])).toEqual({ peers: [], held: [], known: 0, next_cursor: null })
  expect(await moloch(['peers'], { env })).toEqual({ code: 0, out: '', err: 'no peers; the address book has 0' })
  const peer = '12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf'
  const ban = await moloch(['peers', 'ban', peer, '--for', '2h', '--reason', 'floods us'], { env })
  expect(ban).toMatchObject({ code: 0, out: expect.stringMatching(`^${peer} is held out until 20`) })
  const { out } = await moloch(['peers'], { env })
  expect(out).toMatch(new RegExp(`^${peer} +ban +20[^ ]+ +OPERATOR +floods us$`, 'm'))
  expect(await json(['peers', 'unban', peer])).toEqual({ peer_id: peer })
  const unban = await moloch(['peers', 'unban', peer], { env })
  expect(unban).toMatchObject({ code: 1, err: expect.stringContaining('is not held out') })
  expect(await moloch(['peers', 'ban', peer, '--for', 'ever'], { env })).toMatchObject({ code: 64 })
  const add = await moloch(['peers', 'add', '/ip4/127.0.0.1/tcp/1'], { env })
  expect(add).toMatchObject({ code: 1, err: expect.stringContaining('ECONNREFUSED') })
})

describe('events', () => {
  test('submit, wait, get, list, and the block that holds it', async () => {
    const submit = ['event', 'submit', '--action', 'login', '--resource', 'account:alice', '--outcome', 'DENIED']
    const more = ['--meta', 'ip=10.0.0.7', '--meta', 'app=web', '--occurred-at', '2026-01-02T03:04:05Z', '--wait']
    const submitted = await json([...submit, ...more])
    expect(submitted.status).toBe('finalized')
    const event = await json(['event', 'get', submitted.event_id])
    expect(event).toMatchObject({
      action: 'login',
      outcome: 'DENIED',
      resource: { kind: 'account', id: 'alice' },
      occurred_at: Date.UTC(2026, 0, 2, 3, 4, 5),
      metadata: [
        { key: 'app', value: 'web' },
        { key: 'ip', value: '10.0.0.7' }
      ],
      height: submitted.height
    })
    expect((await moloch(['event', 'get', submitted.event_id], { env })).out).toMatch(/^resource +account:alice$/m)
    const list = await json([
      'event',
      'list',
      '--resource',
      'account:alice',
      '--actor',
      event.actor,
      '--action',
      'login'
    ])
    expect(list).toEqual({ events: [event], next_cursor: null })
    const block = await json(['block', 'get', String(submitted.height)])
    expect(block.events).toContainEqual(event)
    expect(await json(['block', 'get', block.hash])).toEqual(block)
    expect((await moloch(['block', 'get', block.hash], { env })).out).toContain(event.event_id)
  })

  test('submit a file, gzipped or from standard input; list it page by page', async () => {
    const lines = Array.from({ length: 30 }, (_, i) =>
      JSON.stringify({ action: 'file.add', resource: { kind: 'file', id: `f${i}` }, actor: 'ann', size: i })
    ).join('\n')
    const file = join(dir, 'events.jsonl.gz')
    writeFileSync(file, gzipSync(lines))
    const { results } = await json(['event', 'submit', '--file', file, '--wait'])
    expect(results.map((r: { status: string }) => r.status)).toEqual(Array(30).fill('finalized'))
    const again = await json(['event', 'submit', '--file', '-', '--wait'], `${lines}\n\n`)
    expect(again.results).toHaveLength(30)
    const first = await json(['event', 'list', '--resource', 'file', '--limit', '25'])
    expect(first.events).toHaveLength(25)
    const rest = await json(['event', 'list', '--resource', 'file', '--cursor', first.next_cursor])
    expect(rest.events).toHaveLength(35)
    const all = [...first.events, ...rest.events].map((e: { event_id: string }) => e.event_id)
    expect(new Set(all).size).toBe(60)
    const newest = await json(['event', 'list', '--resource', 'file', '--newest', '--limit', '1'])
    expect(newest.events[0].event_id).toBe(all.at(-1))
    const { out, err } = await moloch(['event', 'list', '--resource', 'file', '--limit', '2'], { env })
    expect(out.split('\n')).toHaveLength(3)
    expect(err).toMatch(/^more: --cursor /)
  })

  test('equal lines are events of their own, in more batches than one; not waited for, then found final', async () => {
    const line = JSON.stringify({ action: 'twin', resource: { kind: 'twin', id: 't' } })
    const { results } = await json(['event', 'submit', '--file', '-', '--wait'], `${line}\n`.repeat(300))
    expect(results.map((r: { status: string }) => r.status)).toEqual(Array(300).fill('finalized'))
    expect(new Set(results.map((r: { event_id: string }) => r.event_id)).size).toBe(300)
  })

  test('metadata keeps every key and their order', async () => {
    const metadata = { 'b\nc': 'line', '10': 'ten', '9': 'nine', a: 'x' }
    const line = JSON.stringify({ action: 'odd', resource: { kind: 'k', id: 'i' }, metadata })
    const { results } = await json(['event', 'submit', '--file', '-', '--wait'], line)
    expect((await json(['event', 'get', results[0].event_id])).metadata).toEqual([
      { key: '10', value: 'ten' },
      { key: '9', value: 'nine' },
      { key: 'a', value: 'x' },
      { key: 'b\nc', value: 'line' }
    ])
  })

  test('a time later than any date is shown as the number', async () => {
    const line = '{"action": "late", "resource": {"kind": "k", "id": "i"}, "occurred_at": 9007199254740991}'
    const { results } = await json(['event', 'submit', '--file', '-', '--wait'], line)
    const [{ event_id }] = results
    const { code, out } = await moloch(['event', 'get', event_id], { env })
    expect({ code, out }).toMatchObject({ code: 0, out: expect.stringMatching(/^occurred +9007199254740991$/m) })
  })

  test('a malformed line sends nothing', async () => {
    const before = (await json(['status'])).event_total
    const stdin = '{"action": "a", "resource": {"kind": "k", "id": "i"}}\n{"action": 3}\n'
    const ran = await moloch(['event', 'submit', '--file', '-'], { env, stdin })
    expect(ran).toMatchObject({ code: 1, out: '' })
    expect(ran.err).toMatch(/^moloch: standard input line 2: /)
    expect(ran.err).not.toContain('\n')
    const status = await json(['status'])
    expect(status.event_total + status.mempool.events).toBe(before)
  })

  test('one that is not there', async () => {
    const ran = await moloch(['event', 'get', 'ab'.repeat(32)], { env })
    expect(ran).toEqual({ code: 1, out: '', err: `moloch: no event ${'ab'.repeat(32)} here` })
  })
})

test('init --from a running node, with the hash that one was told', async () => {
  const to = join(dir, 'joined')
  const hash = toHex(node.genesis.hash)
  const bootstrap = node.addresses()[0] as string
  const from = ['init', '--from', node.apiUrl, '--home', to, '--bootstrap', bootstrap]
  const forged = await moloch([...from, '--genesis-hash', 'ab'.repeat(32)])
  expect(forged).toMatchObject({ code: 1, err: expect.stringMatching(/another chain, or forged/) })
  const made = await moloch([...from, '--genesis-hash', hash, '--json'])
  expect(JSON.parse(made.out)).toMatchObject({ genesis_hash: hash, role: 'observer' })
})

test('a home that a node runs in: a second start, and what else writes to it, are one line', async () => {
  for (const args of [
    ['db', 'verify'],
    ['snapshot', 'create'],
    ['start', '--log-level', 'silent']
  ]) {
    const ran = await moloch([...args, '--home', home])
    expect(ran).toMatchObject({ code: 1, out: '' })
    expect(ran.err).toBe(`moloch: another process works on the home ${home}: stop that one, or use another home`)
  }
})

test('what answers and is no node', async () => {
  const ran = await moloch(['status', '--url', `${node.apiUrl}/health/live?`])
  expect(ran).toMatchObject({ code: 1, err: expect.stringMatching(/does not answer as a Moloch node/) })
})
