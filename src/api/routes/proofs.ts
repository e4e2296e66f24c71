import { Type } from 'typebox'
import { checkpointText } from '../../chain/checkpoint.ts'
import { fromHex, toHex } from '../../codec/bytes.ts'
import type { Header } from '../../codec/generated/chain.ts'
import type { GetProof, Proof } from '../../codec/generated/sync.ts'
import { hasCode } from '../../error.ts'
import type { Anchor } from '../../light/verify/anchor.ts'
import { type AnchoredProof, proofToJson } from '../../light/verify/proof-json.ts'
import type { App } from '../app.ts'
import { SMALL } from '../bounds.ts'
import { SMALL_ANSWER_BYTES } from '../limits.ts'
import { apiError } from '../problem.ts'
import { CheckpointJson, ProofJson } from '../proof-schemas.ts'
import { Height } from '../schemas.ts'
import type { ApiSource, ProofSource } from '../source.ts'
import { historyProofRoute } from './history-proof.ts'

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

  app.get('/v1/checkpoint', { schema: { response: { 200: CheckpointJson } }, config: { bound: SMALL } }, () => {
    const { height, hash, header } = source.checkpoint()
    const snapshot = source.snapshot?.()
    return {
      height,
      hash: toHex(hash),
      chain_id: genesis.chainId,
      genesis_hash: toHex(genesis.hash),
      timestamp: header.timestamp,
      checkpoint: checkpointText({ height, hash }),
      snapshot: snapshot === undefined ? null : checkpointText(snapshot)
    }
  })
  if (proofs === undefined) return

  const response = { 200: ProofJson }
  const byId = Type.Object({ id: Type.String() })
  // The event as base64, with paths and headers.
  const eventConfig = { bound: { answerBytes: 2 * genesis.params.maxEventBytes + SMALL_ANSWER_BYTES, reads: true } }
  const config = { bound: { ...SMALL, reads: true } }
  const eventSchema = { params: byId, querystring: AnchorQuery, response }
  app.get('/v1/proofs/events/:id', { schema: eventSchema, config: eventConfig }, async ({ params, query }) => {
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
  app.get('/v1/proofs/headers/:height', { schema: headerSchema, config }, ({ params: { height }, query }) => {
    const tip = chain.tip.height
    return file(proofs, { header: { height, anchorHeight: query.anchor ?? (height < tip ? tip : 0) } })
  })

  const consistencySchema = { querystring: ConsistencyQuery, response }
  app.get(
    '/v1/proofs/consistency',
    { schema: consistencySchema, config },
    ({ query: { from, to = chain.tip.height } }) => file(proofs, { consistency: { from, to } })
  )

  historyProofRoute(app, source, proofs)

  async function file(proofs: ProofSource, request: GetProof): Promise<ProofJson> {
    return proofToJson(genesis, await anchored(proofs, await proofs.prove(request))) as ProofJson
  }
}

/** With the headers that it is to be checked against and does not carry itself. */
async function anchored(proofs: ProofSource, { event, header, consistency }: Proof): Promise<AnchoredProof> {
  const trusted = async (height: number): Promise<Anchor> => {
    const found = await proofs.headerAt(height)
    if (found === undefined) throw apiError('BLOCK_UNKNOWN', `no header ${height} here`)
    return { height, ...found }
  }
  const anchor = (proof: { anchorHeight: number; header?: Header }): Promise<Anchor> =>
    trusted(proof.anchorHeight === 0 ? (proof.header?.height ?? 0) : proof.anchorHeight)
  if (event !== undefined) return { kind: 'event', proof: event, anchor: await anchor(event) }
  if (header !== undefined) return { kind: 'header', proof: header, anchor: await anchor(header) }
  if (consistency === undefined) throw new RangeError('a proof of nothing')
  const [from, to] = await Promise.all([trusted(consistency.from), trusted(consistency.to)])
  return { kind: 'consistency', proof: consistency, from: from.header, to: to.header }
}
