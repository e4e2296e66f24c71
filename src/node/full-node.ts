/**
 * The composition root of a node that keeps blocks: builds every part from its config, joins them and starts them from
 * the ground up. Nothing here decides anything about the chain.
 */
import { availableParallelism } from 'node:os'
import { Api } from '../api/app.ts'
import { type Checkpoint, parseCheckpoint } from '../chain/checkpoint.ts'
import type { Genesis } from '../chain/genesis.ts'
import { Mempool, type MempoolLimits } from '../chain/mempool.ts'
import { VerifiedEvents } from '../chain/verified-events.ts'
import { vouchedEvents } from '../chain/voucher.ts'
import { fromHex } from '../codec/bytes.ts'
import { joinEvents } from '../codec/raw.ts'
import { Driver } from '../consensus/driver.ts'
import { type PeerStanding, systemClock } from '../consensus/ports.ts'
import { Signer } from '../consensus/signer.ts'
import { MolochError } from '../error.ts'
import { Ledger } from '../ledger/ledger.ts'
import { settleImport } from '../ledger/snapshot/settle-import.ts'
import { frameLimit } from '../network/streams/frames.ts'
import type { PeerView } from '../network/types.ts'
import { blockItems } from '../sync/blocks.ts'
import { SyncManager } from '../sync/manager.ts'
import { VerifyPool } from '../verify/pool.ts'
import { apiSource } from './api-source.ts'
import type { Config } from './config/schema.ts'
import { Expiry } from './expiry.ts'
import { FaultBoard } from './faults.ts'
import { HeadView } from './head-view.ts'
import type { Home } from './home.ts'
import { EventIngress } from './ingress.ts'
import { join } from './join.ts'
import type { NodeInput } from './node-input.ts'
import { openNetwork } from './open-network.ts'
import { Outbox } from './outbox.ts'
import { provenPeers } from './proven-peers.ts'
import { RestoredEvents } from './restored.ts'
import { type RunningNode, runningNode } from './running.ts'
import { ServedChain } from './served-chain.ts'
import { openBackfill, startBackfill } from './start-backfill.ts'
import { warpFirst } from './warp-phase.ts'
import { dropWarp, warpTarget } from './warp-start.ts'

/** More threads than this only take memory: the main loop cannot write as fast as they check. */
const MAX_VERIFY_WORKERS = 4

/** @throws MolochError, one line about the first thing that is wrong */
export async function buildFullNode(input: NodeInput): Promise<RunningNode> {
  const { config, home, log, closers, tuning } = input
  const { genesis, paths, validatorKey } = home
  const role = validatorKey === undefined ? 'observer' : 'validator'
  const { keep } = config.snapshot

  let opened: Ledger | undefined
  // Closed after the network, which reads it for peers.
  closers.add('the chain database', () => opened?.close())
  const verified = new VerifiedEvents(genesis.hash, VerifiedEvents.memoryFor(config.mempool.max_events))
  const verify = new VerifyPool({ genesisJson: genesis.json, size: verifyWorkers(config), verified })
  closers.add('the verify workers', () => verify.close())
  const served = new ServedChain(genesis, keep > 0, {
    syncing: () => sync.isSyncing,
    readVotes: (request) => driver.readVotes(request)
  })
  const checkpoint = await startingPoint(input)
  const openLedger = () =>
    Ledger.open({
      path: paths.chain,
      genesis,
      log,
      checkpoint: config.checkpoint === '' ? undefined : parseCheckpoint(config.checkpoint),
      snapshots: keep === 0 ? undefined : { folder: paths.snapshots, keep },
      ...(tuning.ledger && { tuning: tuning.ledger })
    })
  if (checkpoint === undefined) opened = await openLedger()
  // What is wrong with the signer is said before a snapshot is fetched.
  const signer = await openSigner(home)
  if (signer !== undefined) closers.add('the signer', () => signer.close())
  const network = await openNetwork(input, config.mode === 'warp' ? 'WARP' : 'FULL', served)
  const api = new Api(config.api, log)
  if (checkpoint !== undefined) await warpFirst(input, network, verify, checkpoint, api)
  opened ??= await openLedger()
  const ledger = opened
  const head = await HeadView.open(ledger)

  const { clock = systemClock } = tuning
  const faults = new FaultBoard()
  const mempool = new Mempool(mempoolLimits(config, genesis))
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
      standing: (peer) => standingOf(genesis, network.sessions.get(peer)),
      penalise: (peer, code) => network.penalise(peer, code)
    },
    signer,
    proven: () => provenPeers(network),
    maySign: () => ledger.holdsWindow,
    clock,
    log
  })
  closers.add('consensus', () => driver.stop())
  const outbox = new Outbox({
    message: (events) => (validatorKey ? vouchedEvents(genesis.hash, validatorKey, events) : joinEvents(events)),
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
    verified,
    checkMessage: (payload, lane) => verify.checkEvents(payload, lane),
    isFinalized: (id) => ledger.hasRecentEvent(id),
    fateOf: (event) => ledger.fateOf(event),
    save: (events) => ledger.saveMempool(events),
    offer: (event) => outbox.add(event),
    added: () => driver.mempoolChanged(),
    halt: () => faults.halt,
    chainTime: () => ({ now: driver.validatorsNow(), tip: ledger.tip.header.timestamp })
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

  const backfill = config.backfill
    ? openBackfill({ ledger, network, checker: verify, busy: () => sync.isSyncing, log })
    : undefined
  if (backfill !== undefined) closers.add('the backfill', () => backfill.stop())

  // Again, if it was open while the node warped: now it closes first.
  closers.add('API requests', () => api.close())
  const apiUrl = await api.show(
    apiSource({
      ledger,
      network,
      sync,
      backfill,
      mempool,
      ingress,
      chainKey: home.chainKey,
      mode: config.mode,
      role,
      abstention: () => driver.abstention,
      outlook: () => driver.outlook(),
      pending: () => driver.pending(),
      fault: () => faults.worst
    })
  )
  served.open(ledger, head)
  const meetPeers = join({ ledger, network, driver, sync, ingress, outbox, restored, faults, expiry })
  // A node that warped has its network already, and peers.
  if (checkpoint === undefined) await network.start()
  driver.start()
  meetPeers()
  if (backfill !== undefined) startBackfill(backfill, network, faults)
  log.info(
    { chain: genesis.chainId, genesis: genesis.hash, role, height: ledger.tip.height, peerId: network.peerId, apiUrl },
    'the node runs'
  )

  return runningNode({ chain: ledger, role, apiUrl, network, sync, closers })
}

/**
 * Makes the database ready to be opened.
 * @returns the checkpoint to warp to first; undefined: the chain goes on where it is
 */
async function startingPoint(input: NodeInput): Promise<Checkpoint | undefined> {
  const { config, home, log } = input
  if (config.mode === 'warp') return warpTarget(input)
  if (config.checkpoint !== '') {
    throw new MolochError(
      'BAD_CONFIG',
      'checkpoint is for mode = "warp" or "light": a full node checks every block from block 0'
    )
  }
  const report = (line: string): void => log.info({}, line)
  await settleImport(home.paths.chain, home.genesis, { checkpoint: undefined, report, signal: input.signal })
  await dropWarp(home.paths.warp, log)
  return undefined
}

/** @throws MolochError with a SignerErrorCode */
async function openSigner({ validatorKey, paths, genesis }: Home): Promise<Signer | undefined> {
  if (validatorKey === undefined) return undefined
  const { signer: path, mark: markPath } = paths
  return Signer.open({ path, markPath, key: validatorKey, genesisHash: genesis.hash })
}

function standingOf({ validators }: Genesis, peer: PeerView | undefined): PeerStanding | undefined {
  if (peer === undefined || peer.statusAt === 0) return undefined
  const key = peer.chainKey === undefined ? undefined : fromHex(peer.chainKey, 32)
  return { validator: key === undefined ? -1 : validators.indexOf(key), height: peer.height }
}

function mempoolLimits({ mempool }: Config, { params }: Genesis): MempoolLimits {
  const unvouchedShare = mempool.unvouched_percent / 100
  return {
    maxEvents: mempool.max_events,
    maxBytes: mempool.max_bytes,
    maxPerActor: mempool.max_per_actor,
    maxPerCaller: mempool.max_per_source,
    unvouchedShare,
    // Of the chain's limits, not of what a block has room for today: that is more when all goes well.
    unvouchedInBlock: {
      maxEvents: Math.ceil(params.maxBlockEvents * unvouchedShare),
      maxBytes: Math.ceil(params.maxBlockBytes * unvouchedShare)
    }
  }
}

/** The main loop keeps a core: on two, a second thread made sync no faster and took 25 MB. */
function verifyWorkers({ sync }: Config): number {
  if (sync.verify_workers > 0) return sync.verify_workers
  return Math.max(1, Math.min(availableParallelism() - 1, MAX_VERIFY_WORKERS))
}
