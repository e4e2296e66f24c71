import { setMaxListeners } from 'node:events'
import { setImmediate as immediate } from 'node:timers/promises'
import type { FastifyReply } from 'fastify'
import { Type } from 'typebox'
import { toHex } from '../../codec/bytes.ts'
import { MolochError } from '../../error.ts'
import { peerOf } from '../access.ts'
import type { App } from '../app.ts'
import type { FinalityWaiters } from '../finality.ts'
import { EVENTS_A_TURN, MAX_BATCH_EVENTS, MAX_BODY_BYTES, SMALL_ANSWER_BYTES } from '../limits.ts'
import { apiError } from '../problem.ts'
import { type SubmitResultJson, SubmittedBatchJson, SubmittedJson } from '../schemas.ts'
import type { ApiSource, SubmittedView } from '../source.ts'
import { readSubmission } from '../submission.ts'

/** Characters of why an event was not taken: what it quotes of the event may be long. */
const MAX_MESSAGE = 300
/** Of one event's result: such a message of characters of six bytes, and an id. */
const MAX_RESULT_BYTES = 6 * MAX_MESSAGE + 200

const PROTOBUF = ['application/x-protobuf', 'application/protobuf']

/**
 * POST /v1/events: one signed event or up to 1000. What is answered with an id is on disk. 202 = taken, 200 = all of
 * them are final (after ?wait=finalized, or because they were already). Of a batch some may be taken and others not.
 */
export function submitRoutes(app: App, source: ApiSource, waiters: FinalityWaiters, maxWaitMs: number): void {
  app.addContentTypeParser(PROTOBUF, { parseAs: 'buffer' }, (_, body, done) => done(null, body))

  const querystring = Type.Object({ wait: Type.Optional(Type.Literal('finalized')) }, { additionalProperties: false })
  const answer = Type.Union([SubmittedJson, SubmittedBatchJson])
  const schema = { querystring, response: { 200: answer, 202: answer } }
  const config = { bound: { answerBytes: MAX_BATCH_EVENTS * MAX_RESULT_BYTES + SMALL_ANSWER_BYTES } }
  app.post('/v1/events', { schema, config, bodyLimit: MAX_BODY_BYTES }, async (request, reply) => {
    const submission = readSubmission(request.body)
    const caller = peerOf(request)
    const gone = goneSignal(reply)
    const results = await submitAll(submission.events, caller)
    if (!submission.batch) {
      const [result] = results
      if (result instanceof MolochError) throw result
      const shown = await show(result as SubmittedView)
      return reply.code(shown.status === 'finalized' ? 200 : 202).send(shown)
    }
    if (results.every((result) => result instanceof MolochError)) {
      throw apiError('EVENTS_REFUSED', 'none of the events was taken', { results: results.map(faultJson) })
    }
    const shown = await Promise.all(
      results.map((result) => (result instanceof MolochError ? faultJson(result) : show(result)))
    )
    const final = shown.every((result) => 'status' in result && result.status === 'finalized')
    return reply.code(final ? 200 : 202).send({ results: shown })

    async function show({ id, status }: SubmittedView): Promise<SubmittedJson> {
      const height = await heightOf(id, status, request.query.wait === 'finalized', gone)
      if (height === undefined) return { event_id: toHex(id), status }
      return { event_id: toHex(id), status: 'finalized', height }
    }
  })

  async function heightOf(
    id: Uint8Array,
    status: string,
    wait: boolean,
    gone: AbortSignal
  ): Promise<number | undefined> {
    if (status === 'finalized') return (await source.chain.event(id))?.height
    return wait ? waiters.wait(id, maxWaitMs, gone) : undefined
  }

  /** All share the fsyncs; the loop is let go between some of them, since each costs a signature check. */
  async function submitAll(events: readonly Uint8Array[], caller: string): Promise<(SubmittedView | MolochError)[]> {
    const results: Promise<SubmittedView | MolochError>[] = []
    for (const [index, event] of events.entries()) {
      if (index > 0 && index % EVENTS_A_TURN === 0) await immediate()
      const result = submit(event, caller)
      // A failure is met below; until then nobody listens.
      result.catch(() => {})
      results.push(result)
    }
    return Promise.all(results)
  }

  /** The faults of one event are its own: they are answered beside the others of its batch. */
  async function submit(event: Uint8Array, caller: string): Promise<SubmittedView | MolochError> {
    try {
      return await source.submit(event, caller)
    } catch (error) {
      if (error instanceof MolochError) return error
      throw error
    }
  }
}

function faultJson(error: SubmittedView | MolochError): SubmitResultJson {
  if (!(error instanceof MolochError)) return { event_id: toHex(error.id), status: error.status }
  const { event_id } = error.details
  return {
    ...(typeof event_id === 'string' && { event_id }),
    code: error.code,
    message: error.message.slice(0, MAX_MESSAGE)
  }
}

function goneSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController()
  // One listener for each event of a batch is no leak.
  setMaxListeners(MAX_BATCH_EVENTS, gone.signal)
  reply.raw.once('close', () => gone.abort())
  return gone.signal
}
