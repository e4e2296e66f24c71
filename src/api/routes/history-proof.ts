import { Type } from 'typebox'
import { MAX_ACTION_BYTES, MAX_RESOURCE_ID_BYTES, MAX_RESOURCE_KIND_BYTES } from '../../chain/event-bounds.ts'
import { MAX_PAGE_IDS } from '../../chain/history.ts'
import { fromHex, utf8 } from '../../codec/bytes.ts'
import type { HistoryProof } from '../../codec/generated/proof.ts'
import { type HistoryKey, historyKey, keyToJson } from '../../light/verify/history-key.ts'
import { pageToJson, proofToJson } from '../../light/verify/proof-json.ts'
import type { App } from '../app.ts'
import { SMALL_ANSWER_BYTES } from '../limits.ts'
import { apiError } from '../problem.ts'
import { HistoryPageAnswer, HistoryProofJson } from '../proof-schemas.ts'
import { Height } from '../schemas.ts'
import type { ApiSource, ProofSource } from '../source.ts'

/** An id in a list: hex, quotes and comma. */
const ID_JSON_BYTES = 67

type Bytes = Uint8Array<ArrayBuffer>

const HistoryQuery = Type.Object(
  {
    actor: Type.Optional(Type.String({ pattern: '^[0-9a-f]{64}$' })),
    resource_kind: Type.Optional(Type.String({ pattern: `^[a-z0-9._-]{1,${MAX_RESOURCE_KIND_BYTES}}$` })),
    resource_id: Type.Optional(Type.String({ minLength: 1, maxLength: MAX_RESOURCE_ID_BYTES })),
    action: Type.Optional(Type.String({ pattern: `^[a-z0-9._-]{1,${MAX_ACTION_BYTES}}$` })),
    anchor: Type.Optional({ ...Height, description: 'height of a snapshot that is kept; default: the newest' }),
    before: Type.Optional(
      Type.String({
        pattern: '^[1-9][0-9]{0,15}:[0-9a-f]{64}$',
        description: 'COUNT:HEAD, to go on: how many events are left, and the prev_head of the page before'
      })
    )
  },
  { additionalProperties: false }
)
type HistoryQuery = Type.Static<typeof HistoryQuery>

/**
 * Every event of one actor, resource or action, or that there is none: the first answer is a proof file with the newest
 * page, those that go on are a page each, for one answer of all would have no bound.
 */
export function historyProofRoute(app: App, { genesis }: Pick<ApiSource, 'genesis'>, proofs: ProofSource): void {
  const response = { 200: Type.Union([HistoryProofJson, HistoryPageAnswer]) }
  const bound = { answerBytes: MAX_PAGE_IDS * ID_JSON_BYTES + SMALL_ANSWER_BYTES, reads: true }
  app.get(
    '/v1/proofs/history',
    { schema: { querystring: HistoryQuery, response }, config: { bound } },
    async ({ query }) => {
      const asked = keyOf(query)
      const { anchor: anchorHeight = 0, before } = query
      const known = knownOf(before)
      const proof = await historyOf(proofs, asked, anchorHeight, known)
      const [page] = proof.pages
      if (before !== undefined && page !== undefined) {
        return { key: keyToJson(asked), anchor_height: proof.anchorHeight, before, ...pageToJson(page) }
      }
      const header = await proofs.headerAt(proof.anchorHeight)
      if (header === undefined) throw apiError('BLOCK_UNKNOWN', `no header ${proof.anchorHeight} here`)
      const anchor = { height: proof.anchorHeight, ...header }
      return proofToJson(genesis, { kind: 'history', proof, anchor, key: asked }) as HistoryProofJson
    }
  )
}

interface Known {
  readonly count: number
  readonly head: Bytes
}

async function historyOf(
  proofs: ProofSource,
  { index, key }: HistoryKey,
  anchorHeight: number,
  { count, head }: Known
): Promise<HistoryProof> {
  const request = { index, key: key as Bytes, anchorHeight, beforeCount: count, beforeHead: head }
  const { history } = await proofs.prove({ history: request })
  if (history === undefined) throw new RangeError('a proof of something else')
  return history
}

function knownOf(before: string | undefined): Known {
  if (before === undefined) return { count: 0, head: new Uint8Array(0) }
  const [count, head] = before.split(':') as [string, string]
  if (Number.isSafeInteger(Number(count))) return { count: Number(count), head: fromHex(head, 32) as Bytes }
  throw apiError('BAD_REQUEST', `before is ${before}; no key has so many events`)
}

function keyOf({ actor, resource_kind: kind, resource_id: id, action }: HistoryQuery): HistoryKey {
  const given = [actor, kind ?? id, action].filter((one) => one !== undefined).length
  if (given === 1 && actor !== undefined) return historyKey({ actor: fromHex(actor, 32) as Bytes })
  if (given === 1 && action !== undefined) return historyKey({ action })
  if (given === 1 && kind !== undefined && id !== undefined) {
    const bytes = utf8(id).byteLength
    if (bytes <= MAX_RESOURCE_ID_BYTES) return historyKey({ resource: { kind, id } })
    throw apiError('BAD_REQUEST', `resource_id is ${bytes} bytes long; accepted: at most ${MAX_RESOURCE_ID_BYTES}`)
  }
  throw apiError('BAD_REQUEST', 'one of actor, action, and resource_kind with resource_id is accepted')
}
