import { Type } from 'typebox'
import { toHex } from '../../codec/bytes.ts'
import type { App } from '../app.ts'
import { pageBound, SMALL } from '../bounds.ts'
import { JsonPage, writtenJson } from '../json-page.ts'
import { MAX_CURSOR_LENGTH, MAX_LISTED, SMALL_ANSWER_BYTES } from '../limits.ts'
import { EvidenceJson, MempoolJson, StatusJson, SyncDetailJson, ValidatorsJson } from '../schemas.ts'
import type { ApiSource } from '../source.ts'
import { isConnected, statusJson, syncDetailJson, validatorName } from '../views.ts'

const EvidenceQuery = Type.Object(
  {
    cursor: Type.Optional(Type.String({ minLength: 1, maxLength: MAX_CURSOR_LENGTH })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_LISTED }))
  },
  { additionalProperties: false }
)

/** What the node is and does now. */
export function nodeRoutes(app: App, source: ApiSource): void {
  const { genesis } = source
  const config = { bound: SMALL }

  app.get('/v1/status', { schema: { response: { 200: StatusJson } }, config }, () => statusJson(source))

  // The canonical JSON itself: who joins hashes it and compares with the hash that was given to them.
  const text = Buffer.from(genesis.json)
  const shared = { bound: { answerBytes: text.byteLength, shared: true } }
  app.get('/v1/genesis', { config: shared }, (_, reply) =>
    reply
      .type('application/json')
      .header('etag', `"${toHex(genesis.hash)}"`)
      .send(text)
  )

  app.get('/v1/sync', { schema: { response: { 200: SyncDetailJson } }, config }, () => syncDetailJson(source.sync()))

  app.get('/v1/validators', { schema: { response: { 200: ValidatorsJson } }, config }, () => ({
    quorum: genesis.validators.quorum,
    validators: genesis.validators.keys.map((key, index) => ({
      name: genesis.validators.names[index] ?? '',
      public_key: toHex(key),
      connected: isConnected(source, key)
    }))
  }))

  app.get('/v1/mempool', { schema: { response: { 200: MempoolJson } }, config }, () => source.mempool())

  const evidence = {
    schema: { querystring: EvidenceQuery, response: { 200: EvidenceJson } },
    config: { bound: { ...pageBound(SMALL_ANSWER_BYTES), reads: true } }
  }
  app.get('/v1/evidence', evidence, async ({ query: { cursor, limit = MAX_LISTED } }, reply) => {
    const evidence = new JsonPage()
    const { nextCursor } = await source.chain.evidencePage(cursor, limit, (item) =>
      evidence.add({
        kind: item.kind,
        height: item.height,
        seen_at: item.seenAt,
        validators: item.validators.map((key) => ({
          name: validatorName(genesis, toHex(key)),
          public_key: toHex(key)
        })),
        description: item.description
      })
    )
    return writtenJson(reply, { evidence }, { next_cursor: nextCursor ?? null })
  })
}
