/** Fork resolution (protocol §8): another block became final; what the pending ones held goes back to the mempool. */
import type { CheckedBlock } from '../chain/check-block.ts'
import { type CheckedEvent, checkEvent } from '../chain/event.ts'
import type { Params } from '../chain/params.ts'
import { toHex } from '../codec/bytes.ts'
import { splitBlock } from '../codec/raw.ts'
import type { Log } from '../log.ts'
import type { Height } from './height.ts'
import type { LedgerPort, MempoolPort } from './ports.ts'

const ID_BYTES = 32

/**
 * The events of blocks that were valid and did not become final, without those that did.
 * @param blocks encoded Blocks, found valid before
 * @param finalIds 32·n bytes
 */
export function returnedEvents(blocks: readonly Uint8Array[], finalIds: Uint8Array, params: Params): CheckedEvent[] {
  const known = new Set<string>()
  for (let at = 0; at < finalIds.byteLength; at += ID_BYTES) known.add(toHex(finalIds.subarray(at, at + ID_BYTES)))
  const events: CheckedEvent[] = []
  for (const block of blocks) {
    for (const bytes of splitBlock(block).events) {
      const event = checkEvent(bytes, params)
      const id = toHex(event.id)
      if (known.has(id)) continue
      known.add(id)
      events.push(event)
    }
  }
  return events
}

/** `final` became final at the height: valid blocks beside it are dropped, their events go back to the mempool. */
export function resolveFork(
  height: Height,
  final: CheckedBlock,
  to: { readonly ledger: LedgerPort; readonly mempool: MempoolPort; readonly log: Log }
): void {
  const { ledger, mempool, log } = to
  const hash = toHex(final.hash)
  const others = height.blocks.valid().filter(([other]) => other !== hash)
  if (others.length === 0) return
  const blocks = others.map(([, bytes]) => bytes)
  const events = returnedEvents(blocks, final.eventIds, ledger.genesis.params)
  const returned = mempool.readd(events.filter((event) => !ledger.hasRecentEvent(event.id))).length
  log.info(
    { height: final.height, final: hash, dropped: others.map(([other]) => other), returned },
    'another block became final at the pending height: the pending one is dropped, its events wait again'
  )
}
