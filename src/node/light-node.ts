/** The composition root of a light node: headers, checked, and proofs from peers on demand (docs/light.md). */
import { availableParallelism } from 'node:os'
import { Api } from '../api/app.ts'
import { checkpointText, parseCheckpoint } from '../chain/checkpoint.ts'
import { HeaderIntake } from '../consensus/header-intake.ts'
import { MolochError } from '../error.ts'
import { dropImport } from '../ledger/snapshot/settle-import.ts'
import { undoSwitch } from '../ledger/snapshot/switch-database.ts'
import { CrossCheck } from '../light/cross-check.ts'
import { HeaderLookup, skipTo } from '../light/header-lookup.ts'
import { holders, type Needed } from '../light/holders.ts'
import { LightChain } from '../light/light-chain.ts'
import { PeerPauses } from '../light/peer-pauses.ts'
import { PeerProver } from '../light/peer-prover.ts'
import { frameLimit } from '../network/streams/frames.ts'
import type { Network } from '../network/types.ts'
import { headerItems } from '../sync/headers.ts'
import { SyncManager } from '../sync/manager.ts'
import { VerifyPool } from '../verify/pool.ts'
import { FaultBoard } from './faults.ts'
import { type Home, keyPath } from './home.ts'
import { headersPort, joinLight } from './join-light.ts'
import { LightHead } from './light-head.ts'
import { lightOutlook } from './light-outlook.ts'
import { lightSource } from './light-source.ts'
import { lightSources } from './light-sources.ts'
import { begin, trustedStart } from './light-start.ts'
import type { NodeInput } from './node-input.ts'
import { openNetwork } from './open-network.ts'
import { type RunningNode, runningNode } from './running.ts'
import { dropWarp } from './warp-start.ts'

/** A header is little more than its signatures: all cores check. */
const MAX_VERIFY_WORKERS = 8

/** @throws MolochError, one line about the first thing that is wrong */
export async function buildLightNode(input: NodeInput): Promise<RunningNode> {
  const { config, home, log, closers, tuning, signal } = input
  const { genesis, paths } = home
  assertNoValidator(home)
  const wanted = config.checkpoint === '' ? undefined : parseCheckpoint(config.checkpoint)
  // A full node's chain that is not in its place would be taken for none.
  await undoSwitch(paths.chain)
  const chain = await LightChain.open({ path: paths.chain, genesis, log, keepHeaders: config.light.keep_headers })
  closers.add('the headers', () => chain.close())
  await dropWarp(paths.warp, log)
  await dropImport(paths.chain, (line) => log.info({}, line))
  const size = config.sync.verify_workers || Math.min(availableParallelism(), MAX_VERIFY_WORKERS)
  const verify = new VerifyPool({ genesisJson: genesis.json, size })
  closers.add('the verify workers', () => verify.close())
  const faults = new FaultBoard()
  const head = await LightHead.open(chain)
  const network: Network = await openNetwork(input, 'LIGHT', {
    head: () => head.get(sync.isSyncing),
    readBlocks: nothing,
    readVotes: async () => {
      throw new MolochError('UNAVAILABLE', 'a light node holds no votes')
    }
  })

  const getHeaders: Network['getHeaders'] = (peer, range, options) => network.getHeaders(peer, range, options)
  const getProof: Network['getProof'] = (peer, request, options) => network.getProof(peer, request, options)
  const penalise = (peer: string, code: string, message: string): void => network.penalise(peer, code, message)
  const sync = new SyncManager(
    {
      ledger: chain,
      items: headerItems(verify, (peer, range, ends) => getHeaders(peer, range, { signal: ends })),
      log
    },
    {
      frameBytes: frameLimit(genesis.params.maxBlockBytes),
      lookAheadBytes: config.sync.max_buffer_bytes,
      requestsPerPeer: config.sync.peer_concurrency,
      ...tuning.sync
    }
  )
  closers.add('running syncs', () => sync.stop())

  const asking = {
    holders: (needed: Needed) => holders(lightSources(network), needed),
    penalise,
    pauses: new PeerPauses(),
    log
  }
  const lookup = new HeaderLookup({ ...asking, chain, getHeaders, getProof })
  const headerAt = async (height: number, ends?: AbortSignal) => {
    const held = await chain.headerAt(height)
    if (held !== undefined) return held
    return lookup.at(height, ends)
  }
  const tipHeight = (): number => chain.tip.height
  const prover = new PeerProver({ ...asking, genesis, getProof, tipHeight, headerAt })
  const crossCheck = new CrossCheck({
    ...asking,
    genesis,
    tip: () => chain.tip,
    halted: () => chain.conflict !== undefined,
    getHeaders,
    compare: (header) => headersPort(chain).compareHeader(header)
  })
  closers.add('the comparison with peers', () => crossCheck.stop())
  const intake = new HeaderIntake({
    chain: headersPort(chain),
    behind: (height, peer) => {
      network.peerHas(peer, height)
      sync.certified(height)
    },
    // Whoever passes it on has it: for what rests on this header somebody can be asked at once.
    passedOn: (height, peer) => network.peerHas(peer, height)
  })

  const outlook = lightOutlook({ chain, network, isSyncing: () => sync.isSyncing, log, clock: tuning.clock })
  closers.add('the watch for a chain that stands', async () => outlook.stop())

  let began: Awaited<ReturnType<typeof trustedStart>> | undefined
  const api = new Api(config.api, log)
  closers.add('API requests', () => api.close())
  const apiUrl = await api.show(
    lightSource({
      chain,
      network,
      prover,
      lookup,
      crossCheck,
      sync: () => sync.state(),
      checkpoint: () => began,
      outlook: () => outlook.view(),
      chainKey: home.chainKey,
      fault: () => faults.worst
    })
  )
  await network.start()
  await begin(chain, wanted, {
    network,
    getHeaders,
    penalise,
    skip: async (height) => {
      await skipTo({ ...asking, chain, getHeaders, getProof }, height, signal)
      return (await headerAt(height)).hash
    },
    lookup: async (height) => (await lookup.at(height, signal)).hash,
    log,
    signal
  })
  began = await trustedStart(chain)
  joinLight({
    chain,
    network,
    sync,
    intake,
    crossCheck,
    faults,
    skip: config.light.skip ? { ...asking, chain, getHeaders, getProof } : undefined,
    log
  })
  outlook.start()
  crossCheck.start(tuning.crossCheckMs)
  const at = { chain: genesis.chainId, genesis: genesis.hash, height: chain.tip.height }
  log.info({ ...at, checkpoint: checkpointText(began), peerId: network.peerId, apiUrl }, 'the light node runs')

  return runningNode({ chain, role: 'light node', apiUrl, network, sync, closers })
}

function assertNoValidator({ validatorKey, paths }: Home): void {
  if (validatorKey === undefined) return
  throw new MolochError(
    'LIGHT_VALIDATOR',
    `${keyPath(paths.home, 'validator')} makes this a validator's home, and mode = "light" keeps no blocks to vote on: set mode = "full", or use another home`
  )
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
