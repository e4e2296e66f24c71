import { afterAll, beforeAll, expect, test } from 'vitest'
import { toHex } from '../../src/codec/bytes.ts'
import { type HistoryKey, historyKey, keyToJson } from '../../src/light/verify/history-key.ts'
import { parseProofFile } from '../../src/light/verify/parse-proof.ts'
import { type HistoryProofJson, proofToJson } from '../../src/light/verify/proof-json.ts'
import { verifyProofFile } from '../../src/light/verify/verify-file.ts'
import { chainInMemory } from '../support/chain-maker.ts'
import { Histories } from '../support/histories.ts'
import { World } from './support/world.ts'

let world: World
let model: Histories
beforeAll(async () => {
  const spec = { actors: 3, resources: 4, params: { snapshotInterval: 4 } }
  world = await World.open({ blocks: 13, shared: true, keepSnapshots: 2, spec })
  // The same chain once more.
  model = new Histories(chainInMemory(13, world.maker.spec).blocks)
})
afterAll(() => world.close())

function queryOf(key: HistoryKey): string {
  const json = keyToJson(key)
  const query = new URLSearchParams()
  if ('actor' in json) query.set('actor', json.actor)
  else if ('action' in json) query.set('action', json.action)
  else {
    query.set('resource_kind', json.resource.kind)
    query.set('resource_id', json.resource.id)
  }
  return `/v1/proofs/history?${query}`
}

test('a history of any key is a proof file, under the newest snapshot or one that is named', async () => {
  const { genesis } = world.maker
  for (const [given, height] of [
    ['', 12],
    ['&anchor=8', 8],
    ['&anchor=0', 12]
  ] as const) {
    const header = await world.ledger.headerAt(height)
    const anchor = { height, hash: header?.hash as Uint8Array, header: header?.header as never }
    const absent = [historyKey({ action: 'never' }), historyKey({ resource: { kind: 'a', id: 'b&c=ñ' } })]
    for (const key of [...model.keys(14), ...absent]) {
      const { status, body } = await world.get(`${queryOf(key)}${given}`)
      expect(status).toBe(200)
      expect(body).toEqual(proofToJson(genesis, { kind: 'history', proof: model.proof(key, height), anchor, key }))
      const result = verifyProofFile(parseProofFile(JSON.stringify(body)), { genesis, trust: [anchor], key })
      expect(result).toMatchObject({ ok: true, ids: model.idsOf(key, height) })
    }
  }
})

test('the page that ends with what is known is given alone', async () => {
  const key = model.keys(12)[0] as HistoryKey
  const { leaf } = (await world.get(queryOf(key))).body.state as HistoryProofJson['state']
  const before = `${leaf?.count}:${leaf?.head}`
  const { status, body } = await world.get(`${queryOf(key)}&anchor=12&before=${before}`)
  const ids = model.idsOf(key, 12).map(toHex)
  expect({ status, body }).toEqual({
    status: 200,
    body: { key: keyToJson(key), anchor_height: 12, before, prev_head: '00'.repeat(32), ids }
  })
})

test.each([
  ['no key', '', 400, 'BAD_REQUEST'],
  ['two keys', 'action=a&resource_kind=b&resource_id=c', 400, 'BAD_REQUEST'],
  ['half a key', 'resource_kind=b', 400, 'BAD_REQUEST'],
  ['half a key', 'resource_id=b', 400, 'BAD_REQUEST'],
  ['no action', 'action=%C3%B1', 400, 'BAD_REQUEST'],
  ['no actor', 'actor=00', 400, 'BAD_REQUEST'],
  ['no snapshot’s height', 'action=a&anchor=7', 400, 'BAD_REQUEST'],
  ['a snapshot that is not kept', 'action=a&anchor=4', 422, 'ANCHOR_TOO_OLD'],
  ['a snapshot that is not made', 'action=a&anchor=16', 503, 'UNAVAILABLE'],
  ['no page', 'action=a&anchor=12&before=1', 400, 'BAD_REQUEST'],
  ['a page of no anchor', `action=action-1&before=1:${'00'.repeat(32)}`, 400, 'BAD_REQUEST'],
  ['a page of another history', `action=action-1&anchor=12&before=1:${'00'.repeat(32)}`, 503, 'UNAVAILABLE'],
  ['a key that is too long', `resource_kind=a&resource_id=${'%C3%B1'.repeat(300)}`, 400, 'BAD_REQUEST'],
  ['too many events', `action=action-1&anchor=12&before=9999999999999999:${'00'.repeat(32)}`, 400, 'BAD_REQUEST']
])('%s (%s) is refused', async (_, query, status, code) => {
  expect(await world.get(`/v1/proofs/history?${query}`)).toMatchObject({ status, body: { code } })
})

test('a node without snapshots says so', async () => {
  const bare = await World.open({ blocks: 3 })
  const { status, body } = await bare.get('/v1/proofs/history?action=a')
  expect({ status, body }).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE' } })
  expect(body.detail).toMatch(/keeps no snapshots/)
})
