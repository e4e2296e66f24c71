import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { HeaderJson } from '../../src/api/schemas.ts'
import { blockHash } from '../../src/chain/domain.ts'
import { eventId } from '../../src/chain/event.ts'
import { leafHash } from '../../src/chain/merkle.ts'
import { verifyConsistency, verifyInclusion } from '../../src/chain/merkle-proof.ts'
import { fromHex, toHex } from '../../src/codec/bytes.ts'
import { SignedEvent } from '../../src/codec/generated/event.ts'
import { World } from './support/world.ts'

let world: World
beforeAll(async () => {
  world = await World.open({ blocks: 9, shared: true })
})
afterAll(() => world.close())

const bytes = (hex: string): Uint8Array<ArrayBuffer> => fromHex(hex) as Uint8Array<ArrayBuffer>

/** The hash of a header as JSON, made as any reader would make it. */
function hashOf(header: HeaderJson): Uint8Array<ArrayBuffer> {
  return blockHash(world.maker.genesis.hash, {
    version: header.version,
    height: header.height,
    parentHash: bytes(header.parent_hash),
    eventsRoot: bytes(header.events_root),
    eventCount: header.event_count,
    mmrRoot: bytes(header.mmr_root),
    stateRoot: bytes(header.state_root),
    validatorsHash: bytes(header.validators_hash),
    nextValidatorsHash: bytes(header.next_validators_hash),
    timestamp: header.timestamp,
    proposer: bytes(header.proposer)
  })
}

/** Whether what the file says follows from trusting the anchor's hash. */
function follows({
  anchor,
  header,
  mmr_path
}: {
  anchor: AnchorJson
  header: HeaderJson
  mmr_path: string[]
}): boolean {
  if (anchor.header === undefined) return toHex(hashOf(header)) === anchor.hash && mmr_path.length === 0
  if (toHex(hashOf(anchor.header)) !== anchor.hash) return false
  const { height: size, mmr_root: root } = anchor.header
  const leaf = leafHash(hashOf(header))
  return verifyInclusion({ leafHash: leaf, index: header.height, size, path: mmr_path.map(bytes), root: bytes(root) })
}

interface AnchorJson {
  readonly height: number
  readonly hash: string
  readonly header?: HeaderJson
}

async function eventIn(height: number): Promise<string> {
  return (await world.get(`/v1/blocks/${height}`)).body.events[1].event_id
}

test('the checkpoint is the newest final block', async () => {
  const { tip } = world.ledger
  const { body } = await world.get('/v1/checkpoint')
  expect(body).toEqual({
    height: 9,
    hash: toHex(tip.hash),
    chain_id: 'test-1',
    genesis_hash: toHex(world.maker.genesis.hash),
    timestamp: tip.header.timestamp,
    checkpoint: `9:${toHex(tip.hash)}`,
    snapshot: null
  })
})

describe('a proof file of an event', () => {
  test('is anchored at the newest header, and follows from it', async () => {
    const id = await eventIn(4)
    const { body } = await world.get(`/v1/proofs/events/${id}`)
    expect(body).toMatchObject({
      format: 'moloch-proof/1',
      kind: 'event',
      chain_id: 'test-1',
      genesis_hash: toHex(world.maker.genesis.hash),
      anchor: { height: 9, hash: toHex(world.ledger.tip.hash), header: { height: 9 } },
      event: { id, index: 1, count: 3 },
      header: { height: 4 }
    })
    const { actor, signature, body: signed } = SignedEvent.decode(Buffer.from(body.event.bytes, 'base64'))
    expect(toHex(eventId(actor, signature, signed))).toBe(id)
    const path = body.event.path.map(bytes)
    const root = bytes(body.header.events_root)
    expect(verifyInclusion({ leafHash: bytes(id), index: 1, size: 3, path, root })).toBe(true)
    expect(follows(body)).toBe(true)
    expect(Object.keys(body).sort()).toEqual(
      ['anchor', 'chain_id', 'event', 'format', 'genesis_hash', 'header', 'kind', 'mmr_path'].sort()
    )
  })

  test('of the newest block is anchored at its own header; of another at the one that is asked for', async () => {
    const newest = (await world.get(`/v1/proofs/events/${await eventIn(9)}`)).body
    expect(newest.anchor).toEqual({ height: 9, hash: toHex(world.ledger.tip.hash) })
    expect(follows(newest)).toBe(true)
    const id = await eventIn(4)
    for (const [anchor, height] of [
      [0, 4],
      [5, 5],
      [8, 8]
    ]) {
      const { body } = await world.get(`/v1/proofs/events/${id}?anchor=${anchor}`)
      expect(body.anchor.height).toBe(height)
      expect(follows(body)).toBe(true)
    }
  })

  test('that there is not says why', async () => {
    const id = await eventIn(4)
    const get = async (path: string) => world.get(`/v1/proofs/events/${path}`)
    expect(await get('00'.repeat(32))).toMatchObject({ status: 404, body: { code: 'UNKNOWN_EVENT' } })
    expect(await get('xyz')).toMatchObject({ status: 400, body: { code: 'BAD_REQUEST' } })
    const old = await get(`${id}?anchor=4`)
    expect(old).toMatchObject({ status: 422, body: { code: 'ANCHOR_TOO_OLD' } })
    expect(old.body.detail).toMatch(`event ${id} is in block 4: header 4 does not cover it; headers from 5 up cover it`)
    expect(await get(`${id}?anchor=10`)).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE' } })
    expect(await get(`${id}?anchor=-1`)).toMatchObject({ status: 400, body: { code: 'BAD_REQUEST' } })
    expect(await get(`${id}?anker=5`)).toMatchObject({ status: 400, body: { code: 'BAD_REQUEST' } })
  })
})

test('a proof file of a header', async () => {
  for (const height of [0, 1, 8, 9]) {
    const { body } = await world.get(`/v1/proofs/headers/${height}`)
    expect(body).toMatchObject({ kind: 'header', header: { height }, anchor: { height: 9 } })
    expect(body.header).toEqual((await world.get(`/v1/headers/${height}`)).body.header)
    expect(follows(body)).toBe(true)
  }
  expect(follows((await world.get('/v1/proofs/headers/2?anchor=3')).body)).toBe(true)
  expect((await world.get('/v1/proofs/headers/3?anchor=3')).body.code).toBe('ANCHOR_TOO_OLD')
  expect(await world.get('/v1/proofs/headers/10')).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE' } })
})

test('a proof file of consistency', async () => {
  for (const [query, from, to] of [
    ['from=3&to=7', 3, 7],
    ['from=1', 1, 9],
    ['from=8&to=8', 8, 8]
  ] as const) {
    const { body } = await world.get(`/v1/proofs/consistency?${query}`)
    expect(body).toMatchObject({ kind: 'consistency', from: { height: from }, to: { height: to } })
    const fromRoot = bytes(body.from.header.mmr_root)
    const toRoot = bytes(body.to.header.mmr_root)
    expect(verifyConsistency({ from, to, fromRoot, toRoot, path: body.path.map(bytes) })).toBe(true)
    for (const { height, header } of [body.from, body.to]) {
      expect(toHex(hashOf(header))).toBe((await world.get(`/v1/headers/${height}`)).body.hash)
    }
  }
  for (const [query, status, code] of [
    ['from=5&to=4', 400, 'BAD_REQUEST'],
    ['from=0&to=4', 400, 'BAD_REQUEST'],
    ['to=4', 400, 'BAD_REQUEST'],
    ['from=5&to=10', 503, 'UNAVAILABLE']
  ] as const) {
    expect(await world.get(`/v1/proofs/consistency?${query}`)).toMatchObject({ status, body: { code } })
  }
})
