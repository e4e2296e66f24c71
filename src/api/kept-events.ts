import { Type } from 'typebox'
import { EventJson } from './schemas.ts'
import { eventJson } from './views.ts'

const { height: _, index: __, ...fields } = EventJson.properties

/** Of an event that was accepted here and that no block may take any more. */
const KeptStatus = Type.Enum(['expired', 'passed'], {
  description:
    'expired = no block took it within its window: it is in none, and can be signed again; ' +
    'passed = its window has passed too, and a block that may have it is in history not held here yet'
})
export type KeptStatus = Type.Static<typeof KeptStatus>

export const KeptEventJson = Type.Object({ ...fields, status: KeptStatus })
export type KeptEventJson = Type.Static<typeof KeptEventJson>

export const KeptPageJson = Type.Object({
  events: Type.Array(KeptEventJson),
  next_cursor: Type.Union([Type.String(), Type.Null()])
})

/** @param bytes SignedEvent */
export function keptJson(bytes: Uint8Array, status: KeptStatus): KeptEventJson {
  const { height: _, index: __, ...event } = eventJson({ height: 0, index: 0, bytes })
  return { ...event, status }
}
