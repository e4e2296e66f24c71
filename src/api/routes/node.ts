import { toHex } from '../../codec/bytes.ts'
import type { App } from '../app.ts'
import { EvidenceJson, MempoolJson, StatusJson, SyncDetailJson, ValidatorsJson } from '../schemas.ts'
import type { ApiSource } from '../source.ts'
import { isConnected, statusJson, syncDetailJson, validatorName } from '../views.ts'

/** What the node is and does now. */
export function nodeRoutes(app: App, source: ApiSource): void {
  const { genesis } = source

  app.get('/v1/status', { schema: { response: { 200: StatusJson } } }, () => statusJson(source))

  // The canonical JSON itself: who joins hashes it and compares with the hash that was given to them.
  app.get('/v1/genesis', (_, reply) =>
    reply
      .type('application/json')
      .header('etag', `"${toHex(genesis.hash)}"`)
      .send(genesis.json)
  )

  app.get('/v1/sync', { schema: { response: { 200: SyncDetailJson } } }, () => syncDetailJson(source.sync()))

  app.get('/v1/validators', { schema: { response: { 200: ValidatorsJson } } }, () => ({
    quorum: genesis.validators.quorum,
    validators: genesis.validators.keys.map((key, index) => ({
      name: genesis.validators.names[index] ?? '',
      public_key: toHex(key),
      connected: isConnected(source, key)
    }))
  }))

  app.get('/v1/mempool', { schema: { response: { 200: MempoolJson } } }, () => source.mempool())

  app.get('/v1/evidence', { schema: { response: { 200: EvidenceJson } } }, async () => ({
    evidence: (await source.chain.evidence()).map((item) => ({
      kind: item.kind,
      height: item.height,
      seen_at: item.seenAt,
      validators: item.validators.map((key) => ({ name: validatorName(genesis, toHex(key)), public_key: toHex(key) })),
      description: item.description
    }))
  }))
}
