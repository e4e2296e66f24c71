import { Type } from 'typebox'
import { EventJson } from './schemas.ts'
import { eventJson } from './views.ts'

const { height: _, index: __, ...fields } = EventJson.properties

/** An event that was accepted here and that no block took within its window: it is in none, and can be signed again. */
export const ExpiredEventJson = Type.Object({ ...fields, status: Type.Literal('expired') })
export type ExpiredEventJson = Type.Static<typeof ExpiredEventJson>

export const ExpiredPageJson = Type.Object({
  events: Type.Array(ExpiredEventJson),
  next_cursor: Type.Union([Type.String(), Type.Null()])
})

/** @param bytes SignedEvent */
export function expiredJson(bytes: Uint8Array): ExpiredEventJson {
  const { height: _, index: __, ...event } = eventJson({ height: 0, index: 0, bytes })
  return { ...event, status: 'expired' }
}
