import { Type } from 'typebox'
import { fromHex } from '../../codec/bytes.ts'
import type { StoredBlock } from '../../ledger/ledger.ts'
import { notHeld } from '../../ledger/proofs/proof-error.ts'
import type { App } from '../app.ts'
import { apiError } from '../problem.ts'
import { BlockJson, Height, SealedHeaderJson } from '../schemas.ts'
import type { ApiSource } from '../source.ts'
import { blockJson, sealedHeaderJson } from '../views.ts'

/** Finalized blocks. Block 0, implied by the genesis, has neither seal nor commit. */
export function blockRoutes(app: App, source: ApiSource): void {
  const { chain } = source

  const response = { 200: BlockJson }
  app.get('/v1/blocks/latest', { schema: { response } }, () => block(chain.tip.height))

  const params = Type.Object({ id: Type.String({ description: 'height or hash' }) })
  app.get('/v1/blocks/:id', { schema: { params, response } }, async (request) =>
    block(await heightOf(request.params.id))
  )

  const byHeight = Type.Object({ height: Height })
  const header = { schema: { params: byHeight, response: { 200: SealedHeaderJson } } }
  app.get('/v1/headers/:height', header, async ({ params: { height } }) => {
    const found = await chain.sealedHeaderAt(height)
    if (found === undefined) throw unknown(height)
    return sealedHeaderJson(found)
  })

  async function block(height: number): Promise<BlockJson> {
    return blockJson(await stored(height))
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
