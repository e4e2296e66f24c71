import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { type EventBody, Outcome, signEvent } from '../../src/chain/event.ts'
import { createGenesis } from '../../src/chain/genesis.ts'
import { assertFinal, awaitFinal } from '../../src/cli/await-final.ts'
import { ApiClient } from '../../src/cli/client.ts'
import { toHex } from '../../src/codec/bytes.ts'
import { keyPairFromSeed } from '../../src/crypto/ed25519.ts'

const KEY = keyPairFromSeed(new Uint8Array(32).fill(1))
const GENESIS = createGenesis({ chainId: 'c', timestamp: 1, validators: [{ name: 'v', publicKey: KEY.publicKey }] })

let server: Server | undefined
afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

async function api(handle: (request: IncomingMessage, response: ServerResponse) => void): Promise<ApiClient> {
  const listening = createServer(handle)
  server = listening
  await new Promise<void>((done) => listening.listen(0, '127.0.0.1', done))
  return new ApiClient(`http://127.0.0.1:${(listening.address() as AddressInfo).port}`)
}

function pending(timestamp: number) {
  const outcome: EventBody['outcome'] = Outcome.SUCCESS
  const body = { timestamp, action: 'a', resource: { kind: 'k', id: 'i' }, outcome, metadata: [] }
  const event = signEvent(GENESIS.hash, KEY, body)
  return { event, result: { event_id: toHex(event.id), status: 'pending' as const } }
}

test('a node that answers before the end is asked again', async () => {
  const submitted = [pending(1), pending(2)]
  let asked = 0
  const client = await api((_, response) => {
    asked++
    const results = submitted.map(({ result }, i) =>
      asked > i + 1 ? { ...result, status: 'finalized', height: 7 } : result
    )
    response.setHeader('content-type', 'application/json')
    // Of the second question only the second event is left.
    response.end(JSON.stringify({ results: asked === 3 ? results.slice(1) : results }))
  })
  const { submitted: final, failure } = await awaitFinal(client, submitted, 20_000)
  expect(failure).toBeUndefined()
  expect(final.map(({ result }) => result)).toEqual(
    submitted.map(({ result }) => ({ ...result, status: 'finalized', height: 7 }))
  )
  expect(asked).toBe(3)
  expect(() => assertFinal(final, 20)).not.toThrow()
})

test('what is not final in time stays pending and is a fault of one line, even if the node holds the request', async () => {
  const client = await api((request) => request.resume())
  const submitted = [pending(1)]
  const { submitted: final } = await awaitFinal(client, submitted, 50)
  expect(final).toEqual(submitted)
  const id = toHex((submitted[0] as (typeof submitted)[0]).event.id)
  expect(() => assertFinal(final, 120)).toThrow(
    `1 of 1 events not final after 120 s; the node still has them: moloch event get ${id}`
  )
})

test('a node that is gone is said at once', async () => {
  const client = await api((request) => request.destroy())
  const submitted = [pending(1)]
  const progress = await awaitFinal(client, submitted, 20_000)
  expect(progress).toMatchObject({ submitted, failure: { code: 'NO_NODE' } })
})
