/** Fork resolution (protocol §8): another block became final; what the pending ones held goes back to the mempool. */
import type { CheckedBlock } from '../chain/check-block.ts'
import { type CheckedEvent, checkEvent } from '../chain/event.ts'
import { HASH_BYTES } from '../chain/merkle.ts'
import { toHex } from '../codec/bytes.ts'
import { splitBlock } from '../codec/raw.ts'
import type { Log } from '../log.ts'
import type { Height } from './height.ts'
import type { Clock, LedgerPort, MempoolPort } from './ports.ts'
import type { ValidBlock } from './proposed-blocks.ts'

/** Events that are parsed before others get a turn: some milliseconds of the main loop. */
const EVENTS_A_TURN = 200

/** An event of a dropped block, by its place. */
interface Place {
  readonly block: number
  readonly event: number
}

/**
 * Where the events of the blocks are that are not known, each once. Ids alone are looked at: a block's events are nearly
 * always in the mempool still, or in the block that became final.
 */
export function missingEvents(
  blocks: readonly Pick<ValidBlock, 'eventIds'>[],
  isKnown: (id: Uint8Array) => boolean
): Place[] {
  const seen = new Set<string>()
  return blocks.flatMap(({ eventIds }, block) => {
    const ids = eventIds()
    const places: Place[] = []
    for (let event = 0; event * HASH_BYTES < ids.byteLength; event++) {
      const id = ids.subarray(event * HASH_BYTES, (event + 1) * HASH_BYTES)
      if (isKnown(id)) continue
      const hex = toHex(id)
      if (seen.has(hex)) continue
      seen.add(hex)
      places.push({ block, event })
    }
    return places
  })
}

export interface RollbackPorts {
  readonly ledger: LedgerPort
  readonly mempool: MempoolPort
  readonly clock: Clock
  readonly log: Log
}

/** `final` is final at the height: valid blocks beside it are dropped, what they alone had goes back to the mempool. */
export function resolveFork(height: Height, final: CheckedBlock, ports: RollbackPorts): void {
  const hash = toHex(final.hash)
  const others = height.blocks.valid().filter((other) => other.hash !== hash)
  if (others.length === 0) return
  const { ledger, mempool, log } = ports
  // The ledger has the final block's events among its recent ones.
  const missing = missingEvents(others, (id) => mempool.has(id) || ledger.hasRecentEvent(id))
  log.info(
    { height: final.height, final: hash, dropped: others.map((other) => other.hash), returned: missing.length },
    'another block became final at the pending height: the pending one is dropped, its events wait again'
  )
  if (missing.length > 0) giveBack(missing, reader(others, ledger), ports)
}

/** The last ones first: what goes back goes before its actor's others. */
function giveBack(missing: readonly Place[], read: (place: Place) => CheckedEvent, ports: RollbackPorts): void {
  const { ledger, mempool, clock } = ports
  const turn = missing.slice(-EVENTS_A_TURN).map(read)
  mempool.readd(turn.filter(({ id }) => !ledger.hasRecentEvent(id)))
  const rest = missing.slice(0, -EVENTS_A_TURN)
  if (rest.length > 0) clock.after(0, () => giveBack(rest, read, ports))
}

function reader(blocks: readonly ValidBlock[], { genesis }: LedgerPort): (place: Place) => CheckedEvent {
  const split = new Map<number, readonly Uint8Array[]>()
  return ({ block, event }) => {
    const events = split.get(block) ?? splitBlock((blocks[block] as ValidBlock).bytes).events
    split.set(block, events)
    // The block was found valid: so are its events.
    return checkEvent(events[event] as Uint8Array, genesis.params)
  }
}
