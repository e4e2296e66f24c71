import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifySchemaValidationError,
  type RawServerDefault
} from 'fastify'
import { MolochError, messageOf } from '../error.ts'
import type { Log } from '../log.ts'
import { type AccessRules, assertBinding, guard } from './access.ts'
import { FinalityWaiters } from './finality.ts'
import {
  CLOSE_GRACE_MS,
  KEEP_ALIVE_TIMEOUT_MS,
  MAX_BODY_BYTES,
  MAX_CONNECTIONS,
  MAX_PARAM_LENGTH,
  REQUEST_TIMEOUT_MS
} from './limits.ts'
import { handleErrors } from './problem.ts'
import { blockRoutes } from './routes/blocks.ts'
import { eventRoutes } from './routes/events.ts'
import { gossipRoutes } from './routes/gossip.ts'
import { healthRoutes } from './routes/health.ts'
import { nodeRoutes } from './routes/node.ts'
import { peerRoutes } from './routes/peers.ts'
import { proofRoutes } from './routes/proofs.ts'
import { submitRoutes } from './routes/submit.ts'
import type { ApiSource } from './source.ts'

export interface ApiOptions extends AccessRules {
  /** 0 = any free one. */
  readonly port: number
  /** Longest ?wait=finalized. */
  readonly max_wait_ms: number
  readonly max_waiters: number
}

export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

/** The HTTP API (docs: interface of the node). It shows the source and hands events to it; it starts nothing else. */
export class Api {
  readonly #app: App
  readonly #options: ApiOptions
  readonly #waiters: FinalityWaiters
  #closing = false

  /** @throws MolochError BAD_CONFIG if it would be open to others without anybody having said so */
  constructor(source: ApiSource, options: ApiOptions, log: Log) {
    assertBinding(options)
    this.#options = options
    this.#waiters = new FinalityWaiters(source, options.max_waiters)
    this.#app = createApp()
    handleErrors(this.#app, log)
    guard(this.#app, options)
    // A connection that is kept after its last answer would keep the server open for as long as it is idle.
    this.#app.addHook('onSend', async (_, reply) => {
      if (this.#closing) reply.header('connection', 'close')
    })
    healthRoutes(this.#app, source)
    nodeRoutes(this.#app, source)
    peerRoutes(this.#app, source)
    gossipRoutes(this.#app, source)
    blockRoutes(this.#app, source)
    eventRoutes(this.#app, source)
    proofRoutes(this.#app, source)
    submitRoutes(this.#app, source, this.#waiters, options.max_wait_ms)
  }

  /**
   * Starts to answer. @returns the URL, with the port that was taken
   * @throws MolochError LISTEN_FAILED, one line naming address and setting
   */
  async listen(): Promise<string> {
    const { host, port } = this.#options
    try {
      await this.#app.listen({ host, port })
    } catch (error) {
      throw listenError(host, port, error)
    }
    const address = this.#app.server.address() as AddressInfo
    return `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`
  }

  /** Answers those who wait for finality with what is known, ends idle connections and waits a little for running requests. */
  async close(): Promise<void> {
    this.#closing = true
    this.#waiters.close()
    const timer = setTimeout(() => this.#app.server.closeAllConnections(), CLOSE_GRACE_MS)
    try {
      await this.#app.close()
    } finally {
      clearTimeout(timer)
    }
  }
}

function createApp(): App {
  const app = fastify({
    logger: false,
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    forceCloseConnections: 'idle',
    return503OnClosing: true,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    // A misspelt query parameter is an error, not silently nothing.
    ajv: { customOptions: { removeAdditional: false, allErrors: false } },
    schemaErrorFormatter: describeInvalid
  }).withTypeProvider<TypeBoxTypeProvider>()
  app.server.maxConnections = MAX_CONNECTIONS
  app.removeContentTypeParser('text/plain')
  return app
}

/** One line: the parameter, what is wrong with it, what there is. */
function describeInvalid(errors: FastifySchemaValidationError[], part: string): Error {
  const [error] = errors
  const name = (error?.instancePath ?? '').slice(1)
  const keyword = error?.keyword
  const params: Record<string, unknown> = error?.params ?? {}
  if (keyword === 'additionalProperties') {
    return new Error(`unknown ${part} parameter ${JSON.stringify(params.additionalProperty)}`)
  }
  if (keyword === 'pattern') return new Error(`${name} must match ${String(params.pattern)}`)
  return new Error(`${name === '' ? part : name} ${error?.message ?? 'is not accepted'}`)
}

function listenError(host: string, port: number, error: unknown): MolochError {
  const { code } = error as NodeJS.ErrnoException
  const where = `${host}:${port}`
  if (code === 'EADDRINUSE') {
    return new MolochError(
      'LISTEN_FAILED',
      `the API cannot listen on ${where}: in use; set api.port to a free one (0 = any)`
    )
  }
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
    return new MolochError(
      'LISTEN_FAILED',
      `the API cannot listen on ${where}: not an address of this machine; see api.host`
    )
  }
  if (code === 'EACCES') {
    return new MolochError('LISTEN_FAILED', `the API cannot listen on ${where}: not allowed; set api.port above 1023`)
  }
  return new MolochError(
    'LISTEN_FAILED',
    `the API cannot listen on ${where}: ${messageOf(error)}`,
    {},
    { cause: error }
  )
}
