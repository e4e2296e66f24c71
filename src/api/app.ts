import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
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
import { type AnswerLimits, type Budgets, boundRoutes, createBudgets } from './bounds.ts'
import { FinalityWaiters } from './finality.ts'
import { Gate } from './gate.ts'
import { BLOCK_READS, CLOSE_GRACE_MS, MAX_PARAM_LENGTH, PEER_READS, SMALL_BODY_BYTES } from './limits.ts'
import { refuseOddIntegers } from './plain-integers.ts'
import { handleErrors } from './problem.ts'
import { blockRoutes } from './routes/blocks.ts'
import { eventRoutes } from './routes/events.ts'
import { gossipRoutes } from './routes/gossip.ts'
import { healthRoutes } from './routes/health.ts'
import { nodeRoutes } from './routes/node.ts'
import { peerRoutes } from './routes/peers.ts'
import { proofRoutes } from './routes/proofs.ts'
import { submitRoutes } from './routes/submit.ts'
import { createApiServer, type ServerLimits } from './server.ts'
import type { ApiSource } from './source.ts'

export interface ApiOptions extends AccessRules {
  /** 0 = any free one. */
  readonly port: number
  /** Longest ?wait=finalized. */
  readonly max_wait_ms: number
  readonly max_waiters: number
}

/** Other numbers than those of limits.ts: for tests. */
export interface ApiLimits extends ServerLimits, AnswerLimits {}

export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

/** Routes over one source. */
interface Shown {
  readonly app: App
  readonly waiters: FinalityWaiters
}

/**
 * The HTTP API (docs: interface of the node), one port for the life of the process. It shows a source and hands events to
 * it; it starts nothing else. The source may change: a node that warps has little to show, and later more.
 */
export class Api {
  readonly #options: ApiOptions
  readonly #limits: Partial<ApiLimits>
  readonly #budgets: Budgets
  readonly #log: Log
  #shown: Shown | undefined
  /** The first: it has the port, and hands each request to those that are shown. */
  #listening: App | undefined
  #url: string | undefined
  #closed: Promise<void> | undefined

  /** @throws MolochError BAD_CONFIG if it would be open to others without anybody having said so */
  constructor(options: ApiOptions, log: Log, limits: Partial<ApiLimits> = {}) {
    assertBinding(options)
    this.#options = options
    this.#limits = limits
    this.#budgets = createBudgets(limits)
    this.#log = log
  }

  /**
   * Shows the source from now on; who is being answered is so from the one before. The first call opens the port.
   * @returns the URL, with the port that was taken
   * @throws MolochError LISTEN_FAILED, one line naming address and setting
   */
  async show(source: ApiSource): Promise<string> {
    const shown = this.#routes(source)
    await shown.app.ready()
    this.#shown?.waiters.close()
    this.#shown = shown
    if (this.#closed !== undefined) shown.waiters.close()
    this.#url ??= await this.#listen(shown.app)
    return this.#url
  }

  /**
   * Answers those who wait for finality with what is known, ends idle connections and waits a little for running requests.
   * Idempotent: later calls wait for the first.
   */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#shown?.waiters.close()
    const listening = this.#listening
    if (listening === undefined) return
    const timer = setTimeout(() => listening.server.closeAllConnections(), CLOSE_GRACE_MS)
    try {
      await listening.close()
    } finally {
      clearTimeout(timer)
    }
  }

  async #listen(app: App): Promise<string> {
    const { host, port } = this.#options
    this.#listening = app
    try {
      await app.listen({ host, port })
    } catch (error) {
      throw listenError(host, port, error)
    }
    const address = app.server.address() as AddressInfo
    return `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`
  }

  #routes(source: ApiSource): Shown {
    const app = createApp((request, response) => this.#shown?.app.routing(request, response), this.#limits)
    handleErrors(app, this.#log)
    guard(app, this.#options)
    refuseOddIntegers(app)
    // A connection that is kept after its last answer would keep the server open for as long as it is idle.
    app.addHook('onSend', async (_, reply) => {
      if (this.#closed !== undefined) reply.header('connection', 'close')
    })
    boundRoutes(app, this.#budgets, new Gate(source.light === undefined ? BLOCK_READS : PEER_READS), this.#log)
    const waiters = new FinalityWaiters(source, this.#options.max_waiters)
    addRoutes(app, source, waiters, this.#options.max_wait_ms)
    return { app, waiters }
  }
}

/** All there are; each says how large its answers are, and the bodies that it takes. */
export function addRoutes(app: App, source: ApiSource, waiters: FinalityWaiters, maxWaitMs: number): void {
  healthRoutes(app, source)
  nodeRoutes(app, source)
  peerRoutes(app, source)
  gossipRoutes(app, source)
  blockRoutes(app, source)
  eventRoutes(app, source)
  proofRoutes(app, source)
  submitRoutes(app, source, waiters, maxWaitMs)
}

/** @param onRequest of the server, if it is the one that listens */
export function createApp(onRequest: RequestListener, limits: Partial<ServerLimits> = {}): App {
  const app = fastify({
    logger: false,
    bodyLimit: SMALL_BODY_BYTES,
    serverFactory: () => createApiServer(onRequest, limits),
    forceCloseConnections: 'idle',
    return503OnClosing: true,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    // A misspelt query parameter is an error, not silently nothing.
    ajv: { customOptions: { removeAdditional: false, allErrors: false } },
    schemaErrorFormatter: describeInvalid
  }).withTypeProvider<TypeBoxTypeProvider>()
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
