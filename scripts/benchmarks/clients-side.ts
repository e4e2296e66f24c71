import '../../src/polyfill.ts'
import { readFileSync } from 'node:fs'
import { setPriority } from 'node:os'
import { parseGenesis } from '../../src/chain/genesis.ts'
import { type Eaten, HungryClient } from './hungry-client.ts'
import { answer } from './processes.ts'

// Many syncing clients in one process. It gives way to the nodes: clients have machines of their own elsewhere, and what
// is measured is what it costs to serve them, not to be them.

const NICENESS = 10

let clients: readonly HungryClient[] = []

function total(): Eaten {
  const sum = { blocks: 0, bytes: 0, limited: 0, failed: 0 }
  for (const { eaten } of clients) {
    sum.blocks += eaten.blocks
    sum.bytes += eaten.bytes
    sum.limited += eaten.limited
    sum.failed += eaten.failed
  }
  return sum
}

answer({
  start: async (count: number, genesisFile: string, address: string): Promise<void> => {
    setPriority(NICENESS)
    const genesis = parseGenesis(readFileSync(genesisFile, 'utf8'))
    clients = await Promise.all(Array.from({ length: count }, () => HungryClient.start(genesis, address)))
  },
  eaten: total,
  /** How many have got anything at all. */
  fed: (): number => clients.filter(({ eaten }) => eaten.blocks > 0).length
})
