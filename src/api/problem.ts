import { STATUS_CODES } from 'node:http'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { MolochError } from '../error.ts'
import type { Log } from '../log.ts'
import { RETRY_AFTER_SECONDS } from './limits.ts'

/** Codes that the API itself gives; those of the floors below (events, proofs, mempool, store) pass through. */
export type ApiErrorCode =
  /** A parameter or body that is not what the endpoint takes; the detail says what is. */
  | 'BAD_REQUEST'
  | 'BAD_JSON'
  | 'BODY_TOO_LARGE'
  | 'UNSUPPORTED_MEDIA_TYPE'
  /** No such endpoint. */
  | 'NOT_FOUND'
  | 'BLOCK_UNKNOWN'
  | 'UNKNOWN_EVENT'
  /** The peer to be let in again is not held out. */
  | 'NOT_BANNED'
  /** None of a batch's events was taken; `results` says why for each. */
  | 'EVENTS_REFUSED'
  /** A token is needed, and none or another was given. */
  | 'UNAUTHORIZED'
  /** Not from here: the API is open to others for reading only. */
  | 'FORBIDDEN'
  /** The Host header names another machine (DNS rebinding). */
  | 'HOST_REFUSED'
  /** The request is of a web page of elsewhere. */
  | 'ORIGIN_REFUSED'
  /** As much is under way as may be: the same later. */
  | 'BUSY'
  /** Reasons of /health/ready, beside a stall's and a fault's own codes. */
  | 'NO_PEERS'
  | 'SYNCING'
  | 'NOT_READY'
  | 'INTERNAL'

export function apiError(code: ApiErrorCode, message: string, details: Record<string, unknown> = {}): MolochError {
  return new MolochError(code, message, details)
}

/** HTTP status by code; a code that is not here is 422 for EVENT_… and 500 for all else. */
const STATUSES: Readonly<Record<string, number>> = {
  BAD_REQUEST: 400,
  BAD_JSON: 400,
  BODY_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  NOT_FOUND: 404,
  BLOCK_UNKNOWN: 404,
  NOT_BANNED: 404,
  UNKNOWN_EVENT: 404,
  // An anchor that does not cover the event never will.
  ANCHOR_TOO_OLD: 422,
  // Not held here, or not yet: another node may have it. Nobody should take it for a no.
  UNAVAILABLE: 503,
  BAD_ADDRESS: 400,
  BAD_PEER_ID: 400,
  DIAL_FAILED: 502,
  NO_ANSWER: 502,
  BUSY: 503,
  // Of a light node's peers: they could answer, and not now.
  RATE_LIMITED: 503,
  NOT_READY: 503,
  PEER_UNSUPPORTED: 503,
  LIGHT_NODE: 501,
  EVENTS_REFUSED: 422,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  HOST_REFUSED: 403,
  ORIGIN_REFUSED: 403,
  BAD_CURSOR: 400,
  BAD_FILTER: 400,
  EVENT_MALFORMED: 400,
  EVENT_TOO_LARGE: 413,
  EVENT_REPEATED: 409,
  MEMPOOL_FULL: 503,
  STORE_FAILED: 503,
  CONFLICTING_FINALITY: 503
}

export function statusOf(code: string): number {
  return STATUSES[code] ?? (code.startsWith('EVENT_') ? 422 : 500)
}

interface Problem {
  readonly code: string
  readonly detail: string
  /** Further members, the endpoint's. */
  readonly more?: Record<string, unknown>
}

export const FAILED: Problem = { code: 'INTERNAL', detail: 'the node failed to answer; its log says why' }

/** RFC 9457 with the project's `code`. */
export function problemOf(status: number, { code, detail, more }: Problem) {
  const headers: Record<string, string> = { 'content-type': 'application/problem+json' }
  if (status === 401) headers['www-authenticate'] = 'Bearer'
  if (status === 503) headers['retry-after'] = String(RETRY_AFTER_SECONDS)
  return {
    headers,
    body: { type: 'about:blank', title: STATUS_CODES[status] ?? 'Error', status, code, detail, ...more }
  }
}

function sendProblem(reply: FastifyReply, status: number, problem: Problem): FastifyReply {
  const { headers, body } = problemOf(status, problem)
  return reply.code(status).headers(headers).serializer(JSON.stringify).send(body)
}

/** Every error of every route, and routes that are not there, become problems. */
export function handleErrors(app: FastifyInstance, log: Log): void {
  app.setErrorHandler((error: FastifyError | MolochError, request, reply) => {
    if (error instanceof MolochError && (statusOf(error.code) !== 500 || error.details.httpStatus !== undefined)) {
      const { httpStatus = statusOf(error.code), results, event_id } = error.details
      const more = { ...(results !== undefined && { results }), ...(event_id !== undefined && { event_id }) }
      return sendProblem(reply, Number(httpStatus), { code: error.code, detail: error.message, more })
    }
    const status = 'statusCode' in error ? (error.statusCode ?? 500) : 500
    if (status < 500) {
      const detail = status === 415 ? unsupported(request) : oneLine(error.message)
      return sendProblem(reply, status, { code: requestCode(status, error.code), detail })
    }
    log.error({ err: error, method: request.method, url: request.url }, 'an API request failed')
    return sendProblem(reply, 500, error instanceof MolochError ? { ...FAILED, code: error.code } : FAILED)
  })
  app.setNotFoundHandler((request: FastifyRequest, reply) =>
    sendProblem(reply, 404, { code: 'NOT_FOUND', detail: `no ${request.method} ${request.url.split('?')[0]} here` })
  )
}

/** What fastify refuses by itself. */
function requestCode(status: number, code: string): ApiErrorCode {
  if (status === 413) return 'BODY_TOO_LARGE'
  if (status === 415) return 'UNSUPPORTED_MEDIA_TYPE'
  return code === 'FST_ERR_CTP_INVALID_JSON_BODY' || code === 'FST_ERR_CTP_EMPTY_JSON_BODY' ? 'BAD_JSON' : 'BAD_REQUEST'
}

function unsupported({ headers }: FastifyRequest): string {
  const type = headers['content-type'] ?? 'none'
  return `content-type ${type.slice(0, 100)} is not accepted; application/json and application/x-protobuf are`
}

function oneLine(message: string): string {
  return message.replaceAll(/\s+/g, ' ').trim()
}
