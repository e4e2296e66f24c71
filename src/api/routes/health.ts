import { Type } from 'typebox'
import { MolochError } from '../../error.ts'
import type { App } from '../app.ts'
import { unready } from '../readiness.ts'
import type { ApiSource } from '../source.ts'
import { nodeState } from '../views.ts'

/** Served from the first moment, before the node has synced. */
export function healthRoutes(app: App, source: ApiSource): void {
  app.get('/health/live', { schema: { response: { 200: Type.Object({ status: Type.Literal('live') }) } } }, () => ({
    status: 'live' as const
  }))

  const response = {
    200: Type.Object({ status: Type.Literal('ready'), state: Type.String(), height: Type.Integer() })
  }
  app.get('/health/ready', { schema: { response } }, () => {
    const reason = unready(source)
    if (reason !== undefined) throw new MolochError(reason.code, reason.message, { httpStatus: 503 })
    return { status: 'ready' as const, state: nodeState(source), height: source.chain.tip.height }
  })
}
