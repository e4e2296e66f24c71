/**
 * The composition root of a node that keeps blocks: builds every part from its config, joins them and starts them from
 * the ground up. Nothing here decides anything about the chain.
 */
import { availableParallelism } from 'node:os'
import { Api } from '../api/app.ts'
import { Mempool } from '../chain/mempool.ts'
import { Driver } from '../consensus/driver.ts'
import { Signer } from '../consensus/signer.ts'
import { MolochError } from '../error.ts'
import { Ledger } from '../ledger/ledger.ts'
import { switchDatabase } from '../ledger/switch-database.ts'
import type { Log } from '../log.ts'
import { createNetwork } from '../network/node.ts'
import { frameLimit } from '../network/streams/frames.ts'
import type { Network } from '../network/types.ts'
import { PeerStore } from '../store/peer-store.ts'
import { blockItems } from '../sync/blocks.ts'
import { SyncManager } from '../sync/manager.ts'
import { VerifyPool } from '../verify/pool.ts'
import { apiSource } from './api-source.ts'
import type { Closers } from './closers.ts'
import type { Config } from './config/schema.ts'
import { Expiry } from './expiry.ts'
import { FaultBoard } from './faults.ts'
import { HeadView } from './head-view.ts'
import type { Home } from './home.ts'
import { EventIngress } from './ingress.ts'
import { join } from './join.ts'
import { networkSettings } from './network-settings.ts'
import { Outbox } from './outbox.ts'
import { RestoredEvents } from './restored.ts'
import type { RunningNode } from './running.ts'
import { openTrace } from './trace-log.ts'
import type { NodeTuning } from './tuning.ts'
import { VERSION } from './version.ts'

/** More threads than this only take memory: the main loop cannot write as fast as they check. */
const MAX_VERIFY_WORKERS = 4

export interface FullNodeInput {
  readonly config: Config
  readonly home: Home
  readonly log: Log
  readonly closers: Closers
  readonly tuning: NodeTuning
}

/** @throws MolochError, one line about the first thing that is wrong */
export async function buildFullNode({ config, home, log, closers, tuning }: FullNodeInput): Promise<RunningNode> {
  const { genesis, paths, validatorKey } = home
  const role = validatorKey === undefined ? 'observer' : 'validator'

  if (config.checkpoint !== '') {
    throw new MolochError(
      'BAD_CONFIG',
      'checkpoint is for mode = "light": a full node checks every block from block 0, or begins at a snapshot (moloch snapshot import)'
    )
  }
  // An import that was stopped on its way is carried on or cleared away.
  await switchDatabase(paths.chain, genesis)
  const { keep } = config.snapshot
  const ledger = await Ledger.open({
    path: paths.chain,
    genesis,
    log,
    snapshots: keep === 0 ? undefined : { folder: paths.snapshots, keep },
    ...(tuning.ledger && { tuning: tuning.ledger })
  })
  closers.add('the chain database', () => ledger.close())
  const verify = new VerifyPool({ genesisJson: genesis.json, size: verifyWorkers(config) })
  closers.add('the verify workers', () => verify.close())
  const signer = await openSigner(home, ledger, config)
  if (signer !== undefined) closers.add('the signer', () => signer.close())

  const faults = new FaultBoard()
  const mempool = new Mempool({
    maxEvents: config.mempool.max_events,
    maxBytes: config.mempool.max_bytes,
    maxPerActor: config.mempool.max_per_actor,
    maxPerSource: config.mempool.max_per_source
  })
  const head = await HeadView.open(ledger)
  const records = await PeerStore.open(paths.peers, log)
  closers.add('the peer store', () => records.close())

  const trace = await openTrace(config, log)
  if (trace !== undefined) closers.add('the gossip trace', () => trace.close())
  const network: Network = createNetwork({
    genesis,
    peerKey: home.peerKey,
    chainKey: home.chainKey,
    mode: 'FULL',
    listen: config.p2p.listen,
    announce: config.p2p.announce,
    bootstrap: config.p2p.bootstrap,
    mdns: config.p2p.mdns,
    userAgent: `moloch/${VERSION}`,
    records,
    settings: { ...networkSettings(config), ...tuning.network },
    ports: {
      head: () => head.get(sync.isSyncing),
      readBlocks: (start, count, maxBytes) => ledger.readRange(start, count, maxBytes),
      readVotes: (request) => driver.readVotes(request),
      proving: ledger,
      ...(ledger.snapshots && { snapshots: ledger.snapshots })
    },
    ...(trace && { trace: (event) => trace.record(event) }),
    log
  })
  closers.add('peers', () => network.stop())
  const driver = new Driver({
    ledger,
    verifier: verify,
    mempool,
    gossip: network,
    peers: {
      peers: () =>
        network.sessions
          .list()
          .filter(({ source }) => source)
          .map(({ peerId }) => peerId),
      getVotes: (peer, request, options) => network.getVotes(peer, request, options),
      penalise: (peer, code) => network.penalise(peer, code)
    },
    signer,
    maySign: () => ledger.holdsWindow,
    log
  })
  closers.add('consensus', () => driver.stop())
  const outbox = new Outbox({
    publish: (payload) => network.publish('events', payload),
    isWaiting: (id) => mempool.has(id),
    log
  })
  closers.add('events on their way out', () => outbox.stop())
  const restored = new RestoredEvents(await ledger.loadMempool(), {
    mempool,
    outbox,
    isFinalized: (id) => ledger.hasRecentEvent(id),
    log
  })
  const ingress = new EventIngress({
    genesis,
    mempool,
    isFinalized: (id) => ledger.hasRecentEvent(id),
    save: (events) => ledger.saveMempool(events),
    offer: (event) => outbox.add(event),
    added: () => driver.mempoolChanged(),
    halt: () => faults.halt,
    now: Date.now
  })
  const blocks = blockItems(
    verify,
    (peer, range, signal) => network.getBlocks(peer, range, { signal }),
    tuning.verifyEvents ?? config.sync.verify_events
  )
  const sync = new SyncManager(
    { ledger, items: blocks, log },
    {
      frameBytes: frameLimit(genesis.params.maxBlockBytes),
      lookAheadBytes: config.sync.max_buffer_bytes,
      requestsPerPeer: config.sync.peer_concurrency,
      ...tuning.sync
    }
  )
  closers.add('running syncs', () => sync.stop())
  const expiry = new Expiry({ mempool, genesis, expire: (events) => ledger.expireMempool(events), log })

  join({ ledger, network, driver, sync, ingress, outbox, restored, faults, expiry })

  const api = new Api(
    apiSource({
      ledger,
      network,
      sync,
      mempool,
      ingress,
      chainKey: home.chainKey,
      mode: config.mode,
      role,
      pending: () => driver.pending(),
      fault: () => faults.worst
    }),
    config.api,
    log
  )
  closers.add('API requests', () => api.close())
  const apiUrl = await api.listen()
  await network.start()
  driver.start()
  log.info(
    { chain: genesis.chainId, genesis: genesis.hash, role, height: ledger.tip.height, peerId: network.peerId, apiUrl },
    'the node runs'
  )

  return {
    genesis,
    role,
    apiUrl,
    peerId: network.peerId,
    get height() {
      return ledger.tip.height
    },
    get waitingFor() {
      return closers.waitingFor
    },
    addresses: () => network.addresses(),
    onProgress: (listener) => {
      sync.on('progress', (_, line) => listener(line))
      sync.on('done', () => listener(undefined))
    },
    stop: () => closers.close()
  }
}

/** @throws MolochError with a SignerErrorCode */
async function openSigner(home: Home, ledger: Ledger, config: Config): Promise<Signer | undefined> {
  const { validatorKey, paths, genesis } = home
  if (validatorKey === undefined) return undefined
  try {
    return await Signer.open({
      path: paths.signer,
      key: validatorKey,
      genesisHash: genesis.hash,
      chainHeight: ledger.tip.height,
      allowMissing: config.consensus.new_signer_log
    })
  } catch (error) {
    if (!(error instanceof MolochError)) throw error
    throw new MolochError(error.code, error.message, { ...error.details, signer: paths.signer }, { cause: error })
  }
}

/** The main loop keeps a core: on two, a second thread made sync no faster and took 25 MB. */
function verifyWorkers({ sync }: Config): number {
  if (sync.verify_workers > 0) return sync.verify_workers
  return Math.max(1, Math.min(availableParallelism() - 1, MAX_VERIFY_WORKERS))
}
