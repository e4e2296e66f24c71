import { chainInMemory, type MemoryChain } from '../../support/chain-maker.ts'

/** Height of the honest chain. */
export const TIP = 240
/** Small, so that a range of blocks has several heights that carry a new state root. */
export const SNAPSHOT_INTERVAL = 10

let made: MemoryChain | undefined

/** The honest chain, made once a file. The test holds every validator's key, so it can certify bad blocks too. */
export function honestChain(): MemoryChain {
  made ??= chainInMemory(TIP, {
    seed: 4,
    eventsPerBlock: 3,
    actors: 5,
    resources: 20,
    params: { snapshotInterval: SNAPSHOT_INTERVAL, maxBlockBytes: 16 << 10, maxEventBytes: 4 << 10 }
  })
  return made
}
