import { pipeline } from 'node:stream'
import type { FastifyReply, FastifyRequest, RouteHandlerMethod, RouteOptions } from 'fastify'
import type { Genesis } from '../chain/genesis.ts'
import type { Log } from '../log.ts'
import { addressGroup, peerOf } from './access.ts'
import type { App } from './app.ts'
import { Budget, type Taken } from './budget.ts'
import type { Gate } from './gate.ts'
import { Gathered } from './gathered.ts'
import { ANSWER_BYTES, BODY_BYTES, MAX_PAGE_BYTES, SLOW_ANSWER_MS, SMALL_ANSWER_BYTES } from './limits.ts'
import { apiError, FAILED, problemOf } from './problem.ts'

/** What a route says of its answers, where it is declared. */
export interface RouteBound {
  /** None is larger. */
  readonly answerBytes: number
  /** It reads blocks, which are larger than what is shown of them: few do at once. */
  readonly reads?: boolean
  /** All callers get the same bytes, which are in memory once. */
  readonly shared?: boolean
}

export const SMALL: RouteBound = { answerBytes: SMALL_ANSWER_BYTES }

/** A page of what may be larger than a page alone, by `itemBytes`. */
export function pageBound(itemBytes: number): RouteBound {
  return { answerBytes: MAX_PAGE_BYTES + itemBytes + SMALL_ANSWER_BYTES }
}

/** What an event is as JSON at most: its bytes as base64, and its texts, of which one byte may be six characters. */
export function eventJsonBytes({ params }: Pick<Genesis, 'params'>): number {
  return 8 * params.maxEventBytes + 4096
}

declare module 'fastify' {
  interface FastifyContextConfig {
    bound?: RouteBound
  }
}

export interface Budgets {
  /** For answers. */
  readonly answers: Budget
  /** For bodies of requests. */
  readonly bodies: Budget
}

export interface AnswerLimits {
  readonly answerBytes: number
  readonly answerBytesAnAddress: number
  readonly slowAnswerMs: number
}

export function createBudgets(changed: Partial<AnswerLimits> = {}): Budgets {
  const { answerBytes = ANSWER_BYTES, answerBytesAnAddress = answerBytes / 2 } = changed
  const { slowAnswerMs = SLOW_ANSWER_MS } = changed
  return {
    answers: new Budget({ bytes: answerBytes, bytesAnAddress: answerBytesAnAddress, slowMs: slowAnswerMs }),
    // Whoever may write is trusted more: one address may fill this.
    bodies: new Budget({ bytes: BODY_BYTES, bytesAnAddress: BODY_BYTES, slowMs: Number.POSITIVE_INFINITY })
  }
}

const METHODS_WITH_BODY = new Set(['POST', 'PUT', 'PATCH', 'DELETE'])

/**
 * Every route has bounds, for its answers and for the bodies that it takes; without them the API does not start. Memory for
 * an answer is taken before it is made and given back when it has left; where there is none, the caller is told to come again.
 */
export function boundRoutes(app: App, { answers, bodies }: Budgets, gate: Gate, log: Log): void {
  const takenBy = new WeakMap<FastifyRequest, Map<Budget, Taken>>()

  app.addHook('onRoute', (route) => {
    assertBounds(route)
    if (route.config?.bound?.reads === true) route.handler = through(gate, route.handler)
  })

  app.addHook('onRequest', async (request, reply) => {
    const { answerBytes, shared } = boundOf(request)
    // Of what was done already one has to hear.
    if (METHODS_WITH_BODY.has(request.method) || shared === true || answerBytes <= SMALL_ANSWER_BYTES) return
    take(answers, request, reply, answerBytes)
  })

  app.addHook('preParsing', async (request, reply, payload) => {
    const { headers, routeOptions } = request
    const length = headers['transfer-encoding'] === undefined ? Number(headers['content-length'] ?? 0) : undefined
    if (!METHODS_WITH_BODY.has(request.method) || length === 0) return payload
    const limit = routeOptions.bodyLimit
    // What is too large is refused before it is read.
    if (length === undefined || length <= limit) take(bodies, request, reply, length ?? limit)
    const gathered = new Gathered()
    // An error of the one is one of the other, which is who is listened to.
    pipeline(payload, gathered, () => {})
    return gathered
  })

  app.addHook('onSend', async (request, reply, payload) => {
    const bytes = typeof payload === 'string' || Buffer.isBuffer(payload) ? Buffer.byteLength(payload) : 0
    const { answerBytes, shared } = boundOf(request)
    if (bytes > answerBytes) {
      const { method, url } = request
      log.error({ method, url, bytes, answerBytes }, 'an API answer is larger than its route says')
      const { headers, body } = problemOf(500, FAILED)
      reply.code(500).headers(headers).removeHeader('content-length')
      return JSON.stringify(body)
    }
    const taken = takenBy.get(request)?.get(answers)
    if (taken !== undefined) taken.send(bytes)
    else if (bytes > SMALL_ANSWER_BYTES && shared !== true) keep(answers, request, reply, bytes)
    return payload
  })

  function take(budget: Budget, request: FastifyRequest, reply: FastifyReply, bytes: number): void {
    const taken = budget.take(addressGroup(peerOf(request)), bytes, () => request.socket.destroy())
    if (taken === undefined) {
      throw apiError('BUSY', 'as much is under way here as there is memory for; the same may be asked again')
    }
    remember(budget, request, reply, taken)
  }

  function keep(budget: Budget, request: FastifyRequest, reply: FastifyReply, bytes: number): void {
    const taken = budget.add(addressGroup(peerOf(request)), bytes, () => request.socket.destroy())
    remember(budget, request, reply, taken)
    taken.send(bytes)
  }

  function remember(budget: Budget, request: FastifyRequest, reply: FastifyReply, taken: Taken) {
    const all = takenBy.get(request) ?? new Map()
    takenBy.set(request, all.set(budget, taken))
    if (reply.raw.closed || reply.raw.destroyed) taken.release()
    else reply.raw.once('close', () => taken.release())
  }
}

/** What is no route has an answer of a line. */
function boundOf(request: FastifyRequest): RouteBound {
  return request.routeOptions.config.bound ?? SMALL
}

function assertBounds({ method, url, config, bodyLimit }: RouteOptions): void {
  const name = `${String(method)} ${url}`
  if (config?.bound === undefined) throw new TypeError(`${name} does not say how large its answers are (config.bound)`)
  const takesBody = [method].flat().some((one) => METHODS_WITH_BODY.has(one))
  if (takesBody && bodyLimit === undefined)
    throw new TypeError(`${name} does not say how large a body may be (bodyLimit)`)
}

function through(gate: Gate, handler: RouteHandlerMethod): RouteHandlerMethod {
  return function (this: unknown, request, reply) {
    return gate.run(() => {
      // Whoever has gone in the meantime needs no answer.
      if (request.socket.destroyed) return ''
      return handler.call(this as never, request, reply)
    })
  }
}
