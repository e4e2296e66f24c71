import { setImmediate as immediate } from 'node:timers/promises'
import { Type } from 'typebox'
import { fromHex } from '../../codec/bytes.ts'
import { splitBlock } from '../../codec/raw.ts'
import { type StoredBlock, sealedHeader } from '../../ledger/ledger.ts'
import { notHeld } from '../../ledger/proofs/proof-error.ts'
import type { App } from '../app.ts'
import { eventJsonBytes, pageBound, SMALL } from '../bounds.ts'
import { JsonPage, writtenJson } from '../json-page.ts'
import { ITEMS_A_TURN } from '../limits.ts'
import { apiError } from '../problem.ts'
import { BlockJson, Height, SealedHeaderJson } from '../schemas.ts'
import type { ApiSource } from '../source.ts'
import { eventJson, sealedHeaderJson } from '../views.ts'

const PageQuery = Type.Object(
  {
    cursor: Type.Optional(
      Type.String({ pattern: '^[0-9]{1,5}$', description: 'next_cursor of a page, to go on with the events behind it' })
    )
  },
  { additionalProperties: false }
)

/** Finalized blocks. Block 0, implied by the genesis, has neither seal nor commit. */
export function blockRoutes(app: App, source: ApiSource): void {
  const { chain } = source

  const response = { 200: BlockJson }
  const config = { bound: { ...pageBound(eventJsonBytes(source.genesis)), reads: true } }
  const latest = { schema: { querystring: PageQuery, response }, config }
  app.get('/v1/blocks/latest', latest, ({ query }, reply) => block(chain.tip.height, query.cursor, reply))

  const params = Type.Object({ id: Type.String({ description: 'height or hash' }) })
  const byId = { schema: { params, querystring: PageQuery, response }, config }
  app.get('/v1/blocks/:id', byId, async ({ params, query }, reply) =>
    block(await heightOf(params.id), query.cursor, reply)
  )

  const byHeight = Type.Object({ height: Height })
  const header = {
    schema: { params: byHeight, response: { 200: SealedHeaderJson } },
    config: { bound: { ...SMALL, reads: true } }
  }
  app.get('/v1/headers/:height', header, async ({ params: { height } }) => {
    const found = await chain.sealedHeaderAt(height)
    if (found === undefined) throw unknown(height)
    return sealedHeaderJson(found)
  })

  /** With as many of its events, from one on, as a page has room for. */
  async function block(
    height: number,
    cursor: string | undefined,
    reply: { type(name: string): unknown }
  ): Promise<never> {
    const found = await stored(height)
    const { events } = splitBlock(found.blockBytes)
    const items = new JsonPage()
    let index = Number(cursor ?? 0)
    for (; index < events.length; index++) {
      if (!items.add(eventJson({ height, index, bytes: events[index] as Uint8Array }))) break
      if (items.length % ITEMS_A_TURN === 0) await immediate()
    }
    const more = index < events.length ? { next_cursor: String(index) } : {}
    const rest = { ...sealedHeaderJson(sealedHeader(found)), ...more }
    return writtenJson(reply, { events: items }, rest)
  }

  async function stored(height: number): Promise<StoredBlock> {
    const found = await chain.blockAt(height)
    if (found === undefined) throw unknown(height)
    return found
  }

  function unknown(height: number): Error {
    const { earliestHeight, tip } = chain
    if (height < earliestHeight) return notHeld(`block ${height} is in`, earliestHeight)
    return apiError('BLOCK_UNKNOWN', `no block ${height} here; this node holds ${earliestHeight} to ${tip.height}`)
  }

  async function heightOf(id: string): Promise<number> {
    const hash = fromHex(id, 32)
    if (hash !== undefined) {
      const height = await chain.heightOf(hash)
      if (height !== undefined) return height
      if (chain.holdsAll) throw apiError('BLOCK_UNKNOWN', `no finalized block ${id} here`)
      throw notHeld(`block ${id} is unknown, or in`, chain.earliestHeight)
    }
    const height = /^\d{1,16}$/.test(id) ? Number(id) : Number.NaN
    if (Number.isSafeInteger(height)) return height
    throw apiError(
      'BAD_REQUEST',
      `${JSON.stringify(id)} is no block; "latest", a height or a hash (64 hex digits) is accepted`
    )
  }
}
