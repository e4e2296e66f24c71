import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkHistory } from '../../../src/chain/check-block.ts'
import { checkHeader } from '../../../src/chain/check-header.ts'
import { Ledger } from '../../../src/ledger/ledger.ts'
import { silentLog } from '../../../src/log.ts'
import type { HistoryChecker } from '../../../src/sync/backfill/types.ts'
import { applyAll } from '../../support/chain-builder.ts'
import { chainInMemory, type MemoryChain } from '../../support/chain-maker.ts'
import { forgetHistory } from '../../support/warped.ts'

export const TIP = 90
export const BASE = 80
export const EVENTS = 3
const TUNING = { segmentEvents: 25, stateWork: 1 }

/** A chain in memory and on disk, whole and as a warp to BASE leaves it. */
export interface Fixture {
  readonly chain: MemoryChain
  readonly whole: string
  readonly warped: string
  readonly remove: () => void
}

export async function fixture(): Promise<Fixture> {
  const chain = chainInMemory(TIP, {
    seed: 77,
    eventsPerBlock: EVENTS,
    actors: 4,
    resources: 9,
    params: { snapshotInterval: 20 }
  })
  const folder = mkdtempSync(join(tmpdir(), 'moloch-backfill-'))
  const [whole, warped] = [join(folder, 'whole'), join(folder, 'warped')]
  const ledger = await openLedger(whole, chain)
  await applyAll(ledger, chain.blocks)
  await ledger.close()
  cpSync(whole, warped, { recursive: true })
  await forgetHistory(warped, chain.genesis, BASE)
  return { chain, whole, warped, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

export function openLedger(path: string, { genesis }: MemoryChain): Promise<Ledger> {
  return Ledger.open({ path, genesis, log: silentLog, tuning: TUNING })
}

/** The checks in this thread. */
export function checkerOf({ genesis }: MemoryChain): HistoryChecker {
  return {
    checkHistory: async (frames) => frames.map((bytes) => checkHistory(genesis, bytes)),
    checkHeaders: async (frames) => frames.map((bytes) => checkHeader(genesis, bytes))
  }
}
