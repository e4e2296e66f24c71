import { Type } from 'typebox'
import { fromHex } from '../../codec/bytes.ts'
import type { EventFilter } from '../../ledger/ledger.ts'
import { notHeld } from '../../ledger/proofs/proof-error.ts'
import { MAX_PAGE_EVENTS } from '../../ledger/query.ts'
import type { App } from '../app.ts'
import { eventJsonBytes, pageBound } from '../bounds.ts'
import { JsonPage, writtenJson } from '../json-page.ts'
import { KeptEventJson, KeptPageJson, type KeptStatus, keptJson } from '../kept-events.ts'
import { DEFAULT_PAGE_EVENTS, MAX_CURSOR_LENGTH } from '../limits.ts'
import { apiError } from '../problem.ts'
import { EventJson, EventPageJson, Height, PendingEventJson } from '../schemas.ts'
import type { ApiSource } from '../source.ts'
import { eventJson } from '../views.ts'

const ListQuery = Type.Object(
  {
    status: Type.Optional(
      Type.Enum(['finalized', 'expired', 'passed'], {
        description:
          'expired = accepted here, but in no block within their window; passed = whether they are is in history not held ' +
          'here yet; both newest first, of all filters only cursor and limit'
      })
    ),
    actor: Type.Optional(Type.String({ pattern: '^[0-9a-f]{64}$' })),
    resource_kind: Type.Optional(Type.String({ minLength: 1, maxLength: 32 })),
    resource_id: Type.Optional(Type.String({ minLength: 1, maxLength: 512 })),
    action: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
    from: Type.Optional(Height),
    to: Type.Optional(Height),
    order: Type.Optional(Type.Enum(['asc', 'desc'], { description: 'desc = newest first' })),
    cursor: Type.Optional(Type.String({ minLength: 1, maxLength: MAX_CURSOR_LENGTH })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_PAGE_EVENTS }))
  },
  { additionalProperties: false }
)
type ListQuery = Type.Static<typeof ListQuery>

export function eventRoutes(app: App, source: ApiSource): void {
  const { chain } = source

  const listSchema = { querystring: ListQuery, response: { 200: Type.Union([EventPageJson, KeptPageJson]) } }
  const bound = { ...pageBound(eventJsonBytes(source.genesis)), reads: true }
  app.get('/v1/events', { schema: listSchema, config: { bound } }, async (request, reply) => {
    const events = new JsonPage()
    const { status, cursor, limit = DEFAULT_PAGE_EVENTS, ...filters } = request.query
    if (status === 'expired' || status === 'passed') {
      refuseFilters(status, filters)
      const fits = ({ bytes }: { bytes: Uint8Array }) => events.add(keptJson(bytes, status))
      const { nextCursor } = await (status === 'expired'
        ? chain.expiredEvents(cursor, limit, fits)
        : chain.passedEvents(cursor, limit, fits))
      return writtenJson(reply, { events }, { next_cursor: nextCursor ?? null })
    }
    const { height } = chain.tip
    const { nextCursor } = await chain.events(filterOf(request.query), cursor, limit, (found) =>
      events.add(eventJson(found))
    )
    return writtenJson(reply, { events }, { next_cursor: nextCursor ?? null, height })
  })

  const params = Type.Object({ id: Type.String() })
  const response = { 200: Type.Union([EventJson, PendingEventJson, KeptEventJson]) }
  const one = { answerBytes: eventJsonBytes(source.genesis), reads: true }
  app.get('/v1/events/:id', { schema: { params, response }, config: { bound: one } }, async (request) => {
    const { id } = request.params
    const bytes = fromHex(id, 32)
    if (bytes === undefined) {
      throw apiError('BAD_REQUEST', `${JSON.stringify(id)} is no event id; 64 hex digits are accepted`)
    }
    const found = await chain.event(bytes)
    if (found !== undefined) return eventJson(found)
    if (source.isPending(bytes)) return { event_id: id, status: 'pending' as const }
    const expired = await chain.expiredEvent(bytes)
    if (expired !== undefined) return keptJson(expired, 'expired')
    const passed = await chain.passedEvent(bytes)
    if (passed !== undefined) return keptJson(passed, 'passed')
    if (chain.holdsAll) throw apiError('UNKNOWN_EVENT', `no event ${id} here`)
    throw notHeld(`event ${id} is unknown, or in`, chain.earliestHeight)
  })
}

/** What is in no block is in no index. */
function refuseFilters(status: KeptStatus, filters: object): void {
  const [filter] = Object.keys(filters)
  if (filter === undefined) return
  throw apiError('BAD_REQUEST', `${filter} does not go with status=${status}; cursor and limit are accepted`)
}

function filterOf(query: ListQuery): EventFilter {
  const { actor, resource_kind: kind, resource_id: id, action, from, to, order } = query
  if (id !== undefined && kind === undefined) {
    throw apiError('BAD_REQUEST', 'resource_id needs resource_kind: ids are unique within a kind only')
  }
  if (from !== undefined && to !== undefined && from > to) {
    throw apiError('BAD_REQUEST', `from (${from}) is above to (${to}); heights with from ≤ to are accepted`)
  }
  return {
    actor: actor === undefined ? undefined : fromHex(actor),
    resource: kind !== undefined && id !== undefined ? { kind, id } : undefined,
    resourceKind: id === undefined ? kind : undefined,
    action,
    from,
    to,
    reverse: order === 'desc'
  }
}
