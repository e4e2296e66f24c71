import { isIPv6 } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Static, TSchema } from 'typebox'
import { Check } from 'typebox/schema'
import { hasCode, MolochError } from '../error.ts'
import { loadConfig } from '../node/config/load.ts'
import { homePaths, resolveHome } from '../node/home.ts'
import { type Cli, usageError } from './cli.ts'

/** Time for a node to answer; whoever asks it to wait says how long. */
const ANSWER_TIMEOUT_MS = 60_000
/** No answer of the API is larger, but for a genesis; whatever answers instead of a node must not fill memory. */
const MAX_ANSWER_BYTES = 8 * 2 ** 20
/** A node that has no room for an answer now has it soon: it is asked again so often, as late as it says. */
const BUSY_RETRIES = 10
const MAX_RETRY_AFTER_SECONDS = 10

export interface ApiOptions {
  readonly url?: string
  readonly home?: string
}

type Answer =
  | { readonly text: string }
  | { readonly text: undefined; readonly problem: MolochError; readonly retryAfterMs: number }

/** The API of a running node, over HTTP. Every error is a MolochError with the API's code. */
export class ApiClient {
  readonly url: string
  readonly #token: string

  constructor(url: string, token = '') {
    this.url = url.replace(/\/+$/, '')
    this.#token = token
  }

  /** @throws MolochError NO_NODE | BAD_ANSWER | the API's code */
  async get<Schema extends TSchema>(path: string, schema: Schema): Promise<Static<Schema>> {
    return this.#checked(path, await this.text(path), schema)
  }

  /** @throws MolochError NO_NODE | BAD_ANSWER | the API's code */
  async post<Schema extends TSchema>(
    path: string,
    body: unknown,
    schema: Schema,
    timeoutMs = ANSWER_TIMEOUT_MS
  ): Promise<Static<Schema>> {
    const headers = { 'content-type': 'application/json' }
    const init = { method: 'POST', headers, body: JSON.stringify(body) }
    return this.#checked(path, await this.#request(path, init, MAX_ANSWER_BYTES, timeoutMs), schema)
  }

  /** @throws MolochError NO_NODE | BAD_ANSWER | the API's code */
  async delete<Schema extends TSchema>(path: string, schema: Schema): Promise<Static<Schema>> {
    return this.#checked(path, await this.#request(path, { method: 'DELETE' }, MAX_ANSWER_BYTES), schema)
  }

  /** The body as it came. */
  async text(path: string, maxBytes = MAX_ANSWER_BYTES): Promise<string> {
    return this.#request(path, {}, maxBytes)
  }

  async #request(path: string, init: RequestInit, maxBytes: number, timeoutMs = ANSWER_TIMEOUT_MS): Promise<string> {
    for (let retries = 0; ; retries++) {
      const answer = await this.#once(path, init, maxBytes, timeoutMs)
      if (answer.text !== undefined) return answer.text
      if (init.method !== undefined || !hasCode(answer.problem, 'BUSY') || retries === BUSY_RETRIES)
        throw answer.problem
      await sleep(answer.retryAfterMs)
    }
  }

  async #once(path: string, init: RequestInit, maxBytes: number, timeoutMs: number): Promise<Answer> {
    const headers = new Headers(init.headers)
    if (this.#token !== '') headers.set('authorization', `Bearer ${this.#token}`)
    let response: Response
    let text: string
    try {
      const signal = AbortSignal.timeout(Math.ceil(timeoutMs))
      response = await fetch(`${this.url}${path}`, { ...init, headers, signal, redirect: 'error' })
      text = await readBounded(response, maxBytes)
    } catch (error) {
      if (error instanceof MolochError) throw error
      throw noNode(this.url, error, timeoutMs)
    }
    if (response.ok) return { text }
    const seconds = Math.min(Number(response.headers.get('retry-after')) || 1, MAX_RETRY_AFTER_SECONDS)
    return { text: undefined, problem: problemOf(this.url, response.status, text), retryAfterMs: seconds * 1000 }
  }

  #checked<Schema extends TSchema>(path: string, text: string, schema: Schema): Static<Schema> {
    const value = parseJson(text)
    if (Check(schema, value)) return value as Static<Schema>
    throw badAnswer(`${this.url}${path}`)
  }
}

/**
 * The node meant by --url, MOLOCH_URL or the home's config, in this order. The home's token goes to the home's node only.
 * @throws MolochError USAGE | BAD_CONFIG
 */
export function apiClient(cli: Cli, options: ApiOptions): ApiClient {
  const url = options.url ?? cli.env.MOLOCH_URL
  if (url !== undefined) {
    if (!URL.canParse(url) || !/^https?:/.test(url)) {
      throw usageError(`${JSON.stringify(url)} is no URL; http://HOST:PORT is accepted`)
    }
    return new ApiClient(url, cli.env.MOLOCH_API_TOKEN)
  }
  const home = resolveHome(options.home, cli.env)
  const { api } = loadConfig({ home, env: cli.env, file: homePaths(home).config }).config
  if (api.port === 0) throw usageError(`api.port in ${home} is 0, any free port; give the API's address with --url`)
  return new ApiClient(`http://${reachable(api.host)}:${api.port}`, api.token)
}

/** What "all addresses" is when one has to connect to it. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  if (host === '::') return '[::1]'
  return isIPv6(host) ? `[${host}]` : host
}

async function readBounded(response: Response, maxBytes: number): Promise<string> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of response.body ?? []) {
    length += part.byteLength
    if (length > maxBytes) {
      throw new MolochError(
        'BAD_ANSWER',
        `${response.url} answers with more than ${maxBytes} bytes; is that a Moloch node?`
      )
    }
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

function noNode(url: string, error: unknown, timeoutMs: number): MolochError {
  if (error instanceof Error && error.name === 'TimeoutError') {
    return new MolochError('NO_NODE', `${url} gave no answer within ${Math.round(timeoutMs / 1000)} s`)
  }
  const cause = error instanceof Error ? (error.cause as NodeJS.ErrnoException | undefined) : undefined
  const why = cause?.code ?? cause?.message ?? String(error)
  return new MolochError('NO_NODE', `no node answers at ${url} (${why}); start one with: moloch start`)
}

function problemOf(url: string, status: number, text: string): MolochError {
  const problem = parseJson(text)
  if (typeof problem === 'object' && problem !== null && 'code' in problem && 'detail' in problem) {
    const details = 'results' in problem ? { status, results: problem.results } : { status }
    return new MolochError(String(problem.code), String(problem.detail), details)
  }
  return new MolochError('BAD_ANSWER', `${url} answers ${status} and not as a Moloch node does; check the address`)
}

function badAnswer(url: string): MolochError {
  return new MolochError(
    'BAD_ANSWER',
    `${url} does not answer as a Moloch node of this version does; check the address`
  )
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
