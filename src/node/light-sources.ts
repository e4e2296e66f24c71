import type { Holder } from '../light/holders.ts'
import type { Network } from '../network/types.ts'

/** The peers that a light node asks. */
export function lightSources({ sessions }: Network): Holder[] {
  return sessions
    .list()
    .filter(({ source }) => source)
    .map(({ peerId, height, earliestHeight }) => ({ id: peerId, height, earliest: earliestHeight }))
}
