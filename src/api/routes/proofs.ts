import { Type } from 'typebox'
import { fromHex, toHex } from '../../codec/bytes.ts'
import type { Header } from '../../codec/generated/chain.ts'
import type { GetProof, Proof } from '../../codec/generated/sync.ts'
import { hasCode } from '../../error.ts'
import type { App } from '../app.ts'
import { apiError } from '../problem.ts'
import { proofToJson } from '../proof-json.ts'
import { CheckpointJson, ProofJson } from '../proof-schemas.ts'
import { Height } from '../schemas.ts'
import type { ApiSource, ProofSource } from '../source.ts'

const AnchorQuery = Type.Object(
  {
    anchor: Type.Optional({
      ...Height,
      description: 'height of the header to prove under; default: the newest, or (0) the header of the block itself'
    })
  },
  { additionalProperties: false }
)

const ConsistencyQuery = Type.Object({ from: Height, to: Type.Optional(Height) }, { additionalProperties: false })

/** What a light client starts from, and proofs as files that anybody can check offline. */
export function proofRoutes(app: App, source: ApiSource): void {
  const { chain, genesis, proofs } = source

  app.get('/v1/checkpoint', { schema: { response: { 200: CheckpointJson } } }, () => {
    const { height, hash, header } = chain.tip
    return {
      height,
      hash: toHex(hash),
      chain_id: genesis.chainId,
      genesis_hash: toHex(genesis.hash),
      timestamp: header.timestamp,
      checkpoint: `${height}:${toHex(hash)}`
    }
  })
  if (proofs === undefined) return

  const response = { 200: ProofJson }
  const byId = Type.Object({ id: Type.String() })
  const eventSchema = { params: byId, querystring: AnchorQuery, response }
  app.get('/v1/proofs/events/:id', { schema: eventSchema }, async ({ params, query }) => {
    const eventId = fromHex(params.id, 32) as Uint8Array<ArrayBuffer> | undefined
    if (eventId === undefined) {
      throw apiError('BAD_REQUEST', `${JSON.stringify(params.id)} is no event id; 64 hex digits are accepted`)
    }
    const under = (anchorHeight: number): Promise<ProofJson> => file(proofs, { event: { eventId, anchorHeight } })
    if (query.anchor !== undefined) return under(query.anchor)
    try {
      return await under(chain.tip.height)
    } catch (error) {
      // The event is in the newest block: nothing above covers it yet.
      if (!hasCode(error, 'ANCHOR_TOO_OLD')) throw error
      return under(0)
    }
  })

  const byHeight = Type.Object({ height: Height })
  const headerSchema = { params: byHeight, querystring: AnchorQuery, response }
  app.get('/v1/proofs/headers/:height', { schema: headerSchema }, ({ params: { height }, query }) => {
    const tip = chain.tip.height
    return file(proofs, { header: { height, anchorHeight: query.anchor ?? (height < tip ? tip : 0) } })
  })

  const consistencySchema = { querystring: ConsistencyQuery, response }
  app.get('/v1/proofs/consistency', { schema: consistencySchema }, ({ query: { from, to = chain.tip.height } }) =>
    file(proofs, { consistency: { from, to } })
  )

  async function file({ prove, headerAt }: ProofSource, request: GetProof): Promise<ProofJson> {
    const proof = await prove(request)
    const headers = new Map<number, Header>()
    for (const height of headersNamed(proof)) {
      const found = await headerAt(height)
      if (found === undefined) throw apiError('BLOCK_UNKNOWN', `no header ${height} here`)
      headers.set(height, found.header)
    }
    return proofToJson(proof, { genesis, headers })
  }
}

/** Heights of the headers that a proof is about and that are not in it. */
function headersNamed({ event, header, consistency }: Proof): number[] {
  if (consistency !== undefined) return [consistency.from, consistency.to]
  const anchor = event?.anchorHeight ?? header?.anchorHeight ?? 0
  return anchor === 0 ? [] : [anchor]
}
