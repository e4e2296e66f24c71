import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { toHex } from '../../src/codec/bytes.ts'
import { historyKey } from '../../src/light/verify/history-key.ts'
import { type HistoryProofJson, type ProofJson, proofToJson } from '../../src/light/verify/proof-json.ts'
import { ServedChain } from '../light/support/served-chain.ts'
import { LONG_HISTORY, onlyKey } from '../support/histories.ts'
import { tempDir } from '../support/temp-dir.ts'
import { moloch } from './support/run.ts'

const chain = new ServedChain(9)
const ID = toHex(chain.eventId(4, 2))
const PROOF = proofToJson(chain.genesis, { kind: 'event', proof: chain.eventProof(4, 2, 8), anchor: chain.anchor(8) })
const STATE_HEIGHT = chain.genesis.params.snapshotInterval
const trusted = (height: number): string => `${height}:${toHex(chain.anchor(height).hash)}`

function folder(proof: ProofJson = PROOF): { file: string; genesis: string; dir: string } {
  const dir = tempDir()
  const [file, genesis] = [join(dir, 'proof.json'), join(dir, 'genesis.json')]
  writeFileSync(file, JSON.stringify(proof))
  writeFileSync(genesis, chain.genesis.json)
  return { file, genesis, dir }
}

/** A node that gives these answers, the last one again and again. */
async function node(
  ...answers: (string | { status: number; body: string })[]
): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    const answer = answers[Math.min(asked.length, answers.length - 1)] ?? ''
    asked.push(request.url ?? '')
    const { status, body } = typeof answer === 'string' ? { status: 200, body: answer } : answer
    response.writeHead(status, { 'content-type': 'application/json' }).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

describe('proof verify', () => {
  test('says what it checked, step by step', async () => {
    const { file, genesis } = folder()
    const ran = await moloch(['proof', 'verify', file, '--trust', trusted(8), '--genesis', genesis, '--event', ID])
    expect(ran).toMatchObject({ code: 0, err: '' })
    const steps = ran.out.split('\n').flatMap((line) => /^ok +(\w+) +\S/.exec(line)?.[1] ?? [])
    expect(steps).toEqual([
      'chain',
      'form',
      'anchor',
      'event',
      'bounds',
      'signature',
      'event_index',
      'event_path',
      'header',
      'mmr_path'
    ])
    expect(ran.out).toMatch(new RegExp(`event +${ID}`))
    expect(ran.out).toMatch(/block +4 [0-9a-f]{64}/)
  })

  test('--json', async () => {
    const { file, genesis } = folder()
    const ran = await moloch(['proof', 'verify', file, '--trust', trusted(8), '--genesis', genesis, '--json'])
    expect(JSON.parse(ran.out)).toMatchObject({
      ok: true,
      kind: 'event',
      event_id: ID,
      index: 2,
      block: { height: 4, hash: toHex(chain.anchor(4).hash), timestamp: chain.header(4).timestamp }
    })
  })

  test('reads the genesis of the home', async () => {
    const { file, dir } = folder()
    expect((await moloch(['proof', 'verify', file, '--trust', trusted(8), '--home', dir])).code).toBe(0)
  })

  test('of a header, and of two headers', async () => {
    const header = folder(
      proofToJson(chain.genesis, { kind: 'header', proof: chain.headerProof(4, 8), anchor: chain.anchor(8) })
    )
    const one = await moloch(['proof', 'verify', header.file, '--trust', trusted(8), '--genesis', header.genesis])
    expect(one).toMatchObject({ code: 0, out: expect.stringMatching(/block +4 /) })
    const ends = { from: chain.header(3), to: chain.header(8) }
    const proof = { kind: 'consistency', proof: chain.consistencyProof(3, 8), ...ends } as const
    const both = folder(proofToJson(chain.genesis, proof))
    const args = ['proof', 'verify', both.file, '--genesis', both.genesis, '--trust', trusted(8)]
    expect(await moloch([...args, '--trust', trusted(3)])).toMatchObject({ code: 0 })
    expect((await moloch(args)).err).toMatch(/PROOF_WRONG_ANCHOR at anchor: an end is 3:/)
  })

  const other = new ServedChain(9, { seed: 2 })
  const cases: [string, (args: string[], at: ReturnType<typeof folder>) => void, RegExp][] = [
    ['another block is trusted', (args) => args.splice(4, 1, trusted(7)), /PROOF_WRONG_ANCHOR at anchor/],
    ['another event is wanted', (args) => args.push('--event', '00'.repeat(32)), /PROOF_WRONG_EVENT at event/],
    ['another chain', (_, { genesis }) => writeFileSync(genesis, other.genesis.json), /PROOF_WRONG_CHAIN at chain/],
    [
      'a changed hash',
      (_, { file }) => {
        const json = structuredClone(PROOF) as Extract<ProofJson, { kind: 'event' }>
        json.event.path[0] = '00'.repeat(32)
        writeFileSync(file, JSON.stringify(json))
      },
      /PROOF_EVENT_PATH at event_path/
    ]
  ]
  test.each(cases)('fails where %s, and names the step', async (_, change, pattern) => {
    const at = folder()
    const args = ['proof', 'verify', at.file, '--trust', trusted(8), '--genesis', at.genesis]
    change(args, at)
    const ran = await moloch(args)
    expect(ran.code).toBe(1)
    expect(ran.err).toMatch(/^moloch: .*proves nothing/)
    expect(ran.err).toMatch(pattern)
    expect(ran.err).not.toContain('\n')
    expect(ran.out).toMatch(/\nFAILED +\w+ /)
    const json = await moloch([...args, '--json'])
    expect(json.code).toBe(1)
    expect(JSON.parse(json.out)).toMatchObject({ ok: false, code: expect.stringMatching(/^PROOF_/) })
  })

  test('a file that is none', async () => {
    const { file, genesis, dir } = folder()
    writeFileSync(file, '{')
    const args = ['--trust', trusted(8), '--genesis', genesis]
    expect(await moloch(['proof', 'verify', file, ...args])).toMatchObject({
      code: 1,
      err: expect.stringMatching(/not JSON/)
    })
    const missing = await moloch(['proof', 'verify', join(dir, 'none'), ...args])
    expect(missing).toMatchObject({ code: 1, err: expect.stringMatching(/cannot read proof .*none/) })
  })
})

describe('proof event', () => {
  test('prints or writes a file that verifies', async () => {
    const { url, asked } = await node(JSON.stringify(PROOF))
    const printed = await moloch(['proof', 'event', ID, '--url', url])
    expect(printed.code).toBe(0)
    expect(JSON.parse(printed.out)).toEqual(PROOF)
    expect(printed.err).toContain(`--trust ${trusted(8)}`)
    const { genesis, dir } = folder()
    const out = join(dir, 'out.json')
    const written = await moloch(['proof', 'event', ID.toUpperCase(), '--anchor', '8', '--out', out, '--url', url])
    expect(written).toMatchObject({ code: 0, out: '' })
    expect(JSON.parse(readFileSync(out, 'utf8'))).toEqual(PROOF)
    expect(asked).toEqual([`/v1/proofs/events/${ID}`, `/v1/proofs/events/${ID}?anchor=8`])
    expect((await moloch(['proof', 'verify', out, '--trust', trusted(8), '--genesis', genesis])).code).toBe(0)
  })

  test('refuses an answer that is none', async () => {
    const other = { kind: 'event', proof: chain.eventProof(4, 1, 8), anchor: chain.anchor(8) } as const
    for (const [answer, pattern] of [
      ['{}', /does not answer with a proof: proof: format is missing/],
      [JSON.stringify(proofToJson(chain.genesis, other)), /something else than event/]
    ] as const) {
      const ran = await moloch(['proof', 'event', ID, '--url', (await node(answer)).url])
      expect(ran).toMatchObject({ code: 1, out: '', err: expect.stringMatching(pattern) })
    }
  })
})

describe('proof history', () => {
  const key = historyKey({ resource: { kind: 'account', id: 'alice:1' } })
  const RESOURCE = ['--resource', 'account:alice:1']
  const QUERY = '/v1/proofs/history?resource_kind=account&resource_id=alice%3A1'
  const { anchor, proof } = onlyKey(chain.genesis, { ...chain.header(9), height: STATE_HEIGHT }, key, LONG_HISTORY)
  const json = proofToJson(chain.genesis, { kind: 'history', proof, anchor, key }) as HistoryProofJson
  const trust = ['--trust', `${anchor.height}:${toHex(anchor.hash)}`]
  const first = JSON.stringify({ ...json, pages: json.pages.slice(0, 1) })
  const later = json.pages
    .slice(1)
    .map((page) => JSON.stringify({ key: json.key, anchor_height: anchor.height, before: '', ...page })) as [
    string,
    string
  ]

  test('of several pages is put together into a file that verifies', async () => {
    // A node that has much to read says so, and goes on when it is asked again.
    const busy = { status: 503, body: JSON.stringify({ code: 'RATE_LIMITED', detail: 'asked again, this goes on' }) }
    const { url, asked } = await node(busy, first, later[0], busy, later[1])
    const { genesis, dir } = folder()
    const out = join(dir, 'history.json')
    const ran = await moloch([
      'proof',
      'history',
      ...RESOURCE,
      '--anchor',
      `${anchor.height}`,
      '--out',
      out,
      '--url',
      url
    ])
    expect(ran).toMatchObject({ code: 0, out: '' })
    expect(ran.err).toMatch(/resource account:alice:1: 8195 events before block/)
    expect(JSON.parse(readFileSync(out, 'utf8'))).toEqual(json)
    const [second, third] = [0, 1].map((at) => `${4096 * (2 - at)}%3A${json.pages[at]?.prev_head}`)
    const under = `${QUERY}&anchor=${anchor.height}`
    expect(asked).toEqual([
      under,
      under,
      `${under}&before=${second}`,
      `${under}&before=${third}`,
      `${under}&before=${third}`
    ])

    const verify = ['proof', 'verify', out, ...trust, '--genesis', genesis]
    const shown = await moloch([...verify, ...RESOURCE])
    expect(shown).toMatchObject({ code: 0, err: '' })
    const steps = shown.out.split('\n').flatMap((line) => /^ok +(\w+) +\S/.exec(line)?.[1] ?? [])
    expect(steps).toEqual(['chain', 'form', 'anchor', 'key_path', 'history_length', 'history_page'])
    expect(shown.out).toMatch(/proven +resource account:alice:1: 8195 events, all that there are/)
    expect(shown.out).toMatch(/and 8175 more/)
    const asJson = JSON.parse((await moloch([...verify, '--json'])).out)
    expect(asJson).toMatchObject({ ok: true, kind: 'history', key: json.key, anchor: anchor.height })
    expect(asJson.event_ids).toEqual(LONG_HISTORY.map(toHex))
    const other = await moloch([...verify, '--resource', 'account:bob'])
    expect(other).toMatchObject({
      code: 1,
      err: expect.stringMatching(/PROOF_WRONG_KEY at key: .*account:alice:1; asked for/)
    })
  })

  test('of a key that has no event is a proof of that', async () => {
    const absent = historyKey({ action: 'never' })
    const none = onlyKey(chain.genesis, anchor.header, absent, [])
    const { state, ...rest } = proofToJson(chain.genesis, { kind: 'history', ...none, key: absent }) as HistoryProofJson
    const empty = { ...rest, state: { ...state, leaf: null } }
    const { url } = await node(JSON.stringify(empty))
    const printed = await moloch(['proof', 'history', '--action', 'never', '--url', url])
    expect(printed).toMatchObject({ code: 0, err: expect.stringMatching(/^action never: no event before block/) })
    expect(JSON.parse(printed.out)).toEqual(empty)
    expect(JSON.parse((await moloch(['proof', 'history', '--action', 'never', '--json', '--url', url])).out)).toEqual(
      empty
    )
  })

  test('refuses answers that are none', async () => {
    const broken = JSON.stringify({ ...JSON.parse(later[0]), ids: JSON.parse(later[0]).ids.slice(1) })
    for (const [answers, pattern] of [
      [['{}'], /does not answer with a proof: proof: format is missing/],
      [[JSON.stringify(PROOF)], /something else/],
      [[JSON.stringify({ ...json, key: { action: 'never' }, pages: [] })], /something else/],
      [[first, broken], /ids that are not those up to event 8192/],
      [[first, later[1]], /ids that are not those up to event 8192/],
      [
        [{ status: 422, body: JSON.stringify({ code: 'ANCHOR_TOO_OLD', detail: 'snapshots of 20' }) }],
        /snapshots of 20/
      ]
    ] as const) {
      const ran = await moloch(['proof', 'history', ...RESOURCE, '--url', (await node(...answers)).url])
      expect(ran).toMatchObject({ code: 1, out: '', err: expect.stringMatching(pattern) })
    }
  })
})
