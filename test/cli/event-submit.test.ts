import '../../src/polyfill.ts'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { eventId } from '../../src/chain/event.ts'
import { createGenesis } from '../../src/chain/genesis.ts'
import { fromHex, toHex } from '../../src/codec/bytes.ts'
import { keyPairFromSeed } from '../../src/crypto/ed25519.ts'
import { createHome } from '../../src/node/create-home.ts'
import { moloch } from './support/run.ts'

const SEED = new Uint8Array(32).fill(7)
const dir = mkdtempSync(join(tmpdir(), 'moloch-submit-'))
const home = join(dir, 'home')
const line = JSON.stringify({ action: 'login', resource: { kind: 'account', id: 'alice' } })

beforeAll(async () => {
  const validators = [{ name: 'v', publicKey: keyPairFromSeed(SEED).publicKey }]
  const genesis = createGenesis({ chainId: 'submit', timestamp: 1, validators })
  await createHome({ home, genesis, settings: {}, seeds: { validator: SEED }, isNewKey: true })
})

afterAll(() => rmSync(dir, { recursive: true, force: true }))

interface Posted {
  readonly body: string
  readonly actor: string
  readonly signature: string
}

const idOf = ({ body, actor, signature }: Posted): string =>
  toHex(eventId(fromHex(actor) as Uint8Array, fromHex(signature) as Uint8Array, Buffer.from(body, 'base64')))

/** A node that answers each batch with what `answer` gives, and breaks off where that gives nothing. */
async function nodeThat(answer: (ids: readonly string[], path: string) => readonly object[] | undefined) {
  const server = createServer(async (request, response) => {
    const parts: Uint8Array[] = []
    for await (const part of request) parts.push(part)
    const { events } = JSON.parse(Buffer.concat(parts).toString()) as { events: Posted[] }
    const results = answer(events.map(idOf), request.url ?? '')
    if (results === undefined) request.socket.destroy()
    else response.setHeader('content-type', 'application/json').end(JSON.stringify({ results }))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return (args: readonly string[], lines: number) =>
    moloch(['event', 'submit', '--home', home, '--url', url, '--file', '-', ...args], {
      stdin: `${line}\n`.repeat(lines)
    })
}

const final = (event_id: string) => ({ event_id, status: 'finalized', height: 3 })

test('each line that is refused, or of which nobody knows, names its event', async () => {
  let seen: readonly string[] = []
  const submit = await nodeThat((ids) => {
    seen = ids
    const old = { code: 'EVENT_OUTSIDE_WINDOW', message: 'too old' }
    const unknown = { code: 'UNAVAILABLE', message: 'cannot be told here' }
    return [final(ids[0] as string), { event_id: ids[1], ...old }, unknown]
  })
  const ran = await submit([], 3)
  expect(ran).toEqual({
    code: 1,
    out: `${seen[0]} finalized in block 3`,
    err: [
      `${seen[1]} refused: too old (EVENT_OUTSIDE_WINDOW)`,
      `${seen[2]} unknown: cannot be told here (UNAVAILABLE)`,
      'moloch: 1 of 3 events were refused; of 1 more this node cannot tell whether they are final'
    ].join('\n')
  })
  const { results } = JSON.parse((await submit(['--json'], 3)).out)
  expect(results.map(({ event_id }: { event_id: string }) => event_id)).toEqual(seen)
})

test('a node that goes in the midst of a file: what it took before is told', async () => {
  let batches = 0
  const submit = await nodeThat((ids) => (++batches > 1 ? undefined : ids.map(final)))
  const { code, out, err } = await submit([], 600)
  expect(out.split('\n')).toHaveLength(250)
  expect({ code, err }).toEqual({
    code: 1,
    err: expect.stringMatching(/^moloch: no node answers at .*; 250 of 600 events were handed in before[^\n]*$/)
  })
})

test('a node that goes while one waits: what is known of each event is told', async () => {
  const submit = await nodeThat((ids, path) => {
    return path.endsWith('?wait=finalized') ? undefined : ids.map((event_id) => ({ event_id, status: 'pending' }))
  })
  const { code, out, err } = await submit(['--wait'], 2)
  expect(out).toMatch(/^[0-9a-f]{64} pending\n[0-9a-f]{64} pending$/)
  expect({ code, err }).toEqual({ code: 1, err: expect.stringMatching(/^moloch: no node answers at [^\n]*$/) })
})
