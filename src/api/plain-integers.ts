import type { FastifyInstance, FastifyRequest } from 'fastify'
import { apiError } from './problem.ts'

interface ObjectSchema {
  readonly properties?: Readonly<Record<string, { readonly type?: unknown }>>
}

/** A check by JSON Schema of what comes as text takes "1e2", "0x10" and " 7 " for integers. Here digits are. */
export function refuseOddIntegers(app: FastifyInstance): void {
  app.addHook('preValidation', async (request) => {
    const { querystring, params } = request.routeOptions.schema ?? {}
    assertDigits(request.query, querystring as ObjectSchema | undefined)
    assertDigits(request.params, params as ObjectSchema | undefined)
  })
}

function assertDigits(given: FastifyRequest['query'], schema: ObjectSchema | undefined): void {
  for (const [name, { type }] of Object.entries(schema?.properties ?? {})) {
    const value = (given as Record<string, unknown> | undefined)?.[name]
    if (type !== 'integer' || typeof value !== 'string' || /^-?\d+$/.test(value)) continue
    throw apiError('BAD_REQUEST', `${name} must be integer, in digits`)
  }
}
