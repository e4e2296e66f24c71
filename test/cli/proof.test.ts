import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { toHex } from '../../src/codec/bytes.ts'
import { type ProofJson, proofToJson } from '../../src/light/verify/proof-json.ts'
import { ServedChain } from '../light/support/served-chain.ts'
import { tempDir } from '../support/temp-dir.ts'
import { moloch } from './support/run.ts'

const chain = new ServedChain(9)
const ID = toHex(chain.eventId(4, 2))
const PROOF = proofToJson(chain.genesis, { kind: 'event', proof: chain.eventProof(4, 2, 8), anchor: chain.anchor(8) })
const trusted = (height: number): string => `${height}:${toHex(chain.anchor(height).hash)}`

function folder(proof: ProofJson = PROOF): { file: string; genesis: string; dir: string } {
  const dir = tempDir()
  const [file, genesis] = [join(dir, 'proof.json'), join(dir, 'genesis.json')]
  writeFileSync(file, JSON.stringify(proof))
  writeFileSync(genesis, chain.genesis.json)
  return { file, genesis, dir }
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
  /** A node that has one answer. */
  async function node(answer: string): Promise<{ url: string; asked: string[] }> {
    const asked: string[] = []
    const server = createServer((request, response) => {
      asked.push(request.url ?? '')
      response.setHeader('content-type', 'application/json').end(answer)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      server.close()
    })
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
  }

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
