import '../../src/polyfill.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { silentLog } from '../../src/log.ts'
import { createNetwork } from '../../src/network/node.ts'
import { HeadView } from '../../src/node/head-view.ts'
import { openHome } from '../../src/node/home.ts'
import { Backfill, type BackfillState } from '../../src/sync/backfill/backfill.ts'
import { VerifyPool } from '../../src/verify/pool.ts'
import { peakMemory } from './peak-memory.ts'
import { answer } from './processes.ts'

// What of a node fills in history, in a process of its own: ledger, network, verify threads and backfill.

export interface Filled {
  /** From the first request until every block is on disk, proven by its hash. */
  readonly storedSeconds: number
  /** Until every certificate is verified and the state compared, too. */
  readonly doneSeconds: number
  readonly cpuSeconds: number
  readonly peakRss: number
}

answer({
  /** @param home with a chain that has no history; threads as a node has them */
  fill: async (home: string, address: string, threads: number): Promise<Filled> => {
    const { genesis, paths, peerKey, chainKey } = openHome(home)
    const ledger = await Ledger.open({ path: paths.chain, genesis, log: silentLog })
    const verify = new VerifyPool({ genesisJson: genesis.json, size: threads })
    const head = await HeadView.open(ledger)
    const network = createNetwork({
      genesis,
      peerKey,
      chainKey,
      mode: 'FULL',
      listen: [],
      bootstrap: [address],
      userAgent: 'bench',
      ports: {
        head: () => head.get(false),
        readBlocks: (start, count, maxBytes) => ledger.readRange(start, count, maxBytes),
        readVotes: () => Promise.reject(new Error('there is no consensus here'))
      },
      log: silentLog
    })
    const backfill = new Backfill({
      genesis,
      history: ledger.history,
      checker: verify,
      blocks: (peer, range, signal) => network.getBlocks(peer, range, { signal }),
      headers: async function* (peer, range, signal) {
        for await (const { headers } of network.getHeaders(peer, range, { signal })) yield headers
      },
      headerAt: (height) => ledger.headerAt(height),
      busy: () => false,
      log: silentLog
    })
    const cpu = process.cpuUsage()
    let begun = 0
    let stored = 0
    const filled = new Promise<void>((resolve, reject) => {
      backfill.on('moved', () => {
        if (stored === 0 && backfill.state().missing === 0) stored = performance.now()
      })
      backfill.on('done', resolve)
      backfill.on('fault', ({ message }) => reject(new Error(message)))
      backfill.on('penalise', (_, { code, message }) => reject(new Error(`${code}: ${message}`)))
    })
    network.sessions.on('update', ({ peerId, source, height, earliestHeight }) => {
      if (!source || height === 0) return
      backfill.setPeer({ id: peerId, height, earliest: earliestHeight })
      if (begun > 0) return
      begun = performance.now()
      backfill.start()
    })
    await network.start()
    const watch = setInterval(() => {
      if (stored === 0 && begun > 0 && isStored(backfill.state())) stored = performance.now()
    }, 5)
    await filled
    clearInterval(watch)
    const end = performance.now()
    const { user, system } = process.cpuUsage(cpu)
    await backfill.stop()
    await network.stop()
    await verify.close()
    await ledger.close()
    return {
      storedSeconds: (stored - begun) / 1000,
      doneSeconds: (end - begun) / 1000,
      cpuSeconds: (user + system) / 1e6,
      peakRss: peakMemory()
    }
  }
})

function isStored({ missing }: BackfillState): boolean {
  return missing === 0
}
