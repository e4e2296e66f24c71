import { Type } from 'typebox'
import { MolochError } from '../../error.ts'
import type { App } from '../app.ts'
import { SMALL } from '../bounds.ts'
import { unready } from '../readiness.ts'
import type { ApiSource } from '../source.ts'
import { nodeState } from '../views.ts'

/** Served from the first moment, before the node has synced. */
export function healthRoutes(app: App, source: ApiSource): void {
  const config = { bound: SMALL }
  const live = { schema: { response: { 200: Type.Object({ status: Type.Literal('live') }) } }, config }
  app.get('/health/live', live, () => ({ status: 'live' as const }))

  const response = {
    200: Type.Object({ status: Type.Literal('ready'), state: Type.String(), height: Type.Integer() })
  }
  app.get('/health/ready', { schema: { response }, config }, () => {
    const reason = unready(source)
    if (reason !== undefined) throw new MolochError(reason.code, reason.message, { httpStatus: 503 })
    return { status: 'ready' as const, state: nodeState(source), height: source.chain.tip.height }
  })
}
