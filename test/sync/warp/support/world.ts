import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { checkChunk } from '../../../../src/chain/snapshot-chunks.ts'
import type { NetworkSettings } from '../../../../src/network/settings.ts'
import type { SnapshotPorts } from '../../../../src/network/snapshot-ports.ts'
import type { WarpOptions, WarpOutcome, WarpPorts } from '../../../../src/sync/warp/types.ts'
import { Warp } from '../../../../src/sync/warp/warp.ts'
import type { SnapshotSource } from '../../../ledger/support/snapshot-source.ts'
import { ChainPorts, LogBook, node, type TestNode } from '../../../network/support/nodes.ts'
import { Random } from '../../../support/random.ts'
import { tempDir } from '../../../support/temp-dir.ts'

/** A node that serves the source's snapshots, headers and proofs; `lies` in place of what is true. */
export function server(
  { chain, ledger, snapshots, manifest }: SnapshotSource,
  lies: Partial<SnapshotPorts> = {},
  height = manifest.height
): Promise<TestNode> {
  const ports = new ChainPorts(height, chain)
  const truth: SnapshotPorts = {
    held: (at) => snapshots.held(at),
    readManifest: (at, checkpoint) => snapshots.readManifest(at, checkpoint),
    readChunk: (at, chunk) => snapshots.readChunk(at, chunk)
  }
  const proving = {
    readHeaders: (start: number, count: number) => ledger.readHeaders(start, count),
    readPeaks: (leafCount: number) => ledger.readPeaks(leafCount),
    prove: (request: Parameters<typeof ledger.prove>[0]) => ledger.prove(request)
  }
  return node({ genesis: chain.genesis, ports: Object.assign(ports, { snapshots: { ...truth, ...lies }, proving }) })
}

export interface Client {
  readonly warp: Warp
  readonly network: TestNode['network']
  readonly path: string
  readonly folder: string
  readonly log: LogBook
  /** Code by peer id. */
  readonly penalised: Map<string, string>
  readonly outcome: Promise<WarpOutcome>
  readonly controller: AbortController
}

export interface ClientOptions extends Partial<WarpOptions> {
  readonly settings?: Partial<NetworkSettings>
  /** Counts, or changes, what is asked. */
  readonly network?: (network: WarpPorts['network']) => WarpPorts['network']
  readonly checkChunk?: (check: WarpPorts['checkChunk']) => WarpPorts['checkChunk']
}

/** A node without a chain that dials the servers and warps; it begins when all are known to it. */
export async function client(
  { chain, manifest }: SnapshotSource,
  servers: readonly TestNode[],
  { settings = {}, network: wrap = (it) => it, checkChunk: checking = (it) => it, ...options }: ClientOptions = {}
): Promise<Client> {
  const home = tempDir()
  const { genesis } = chain
  const { network } = await node({ genesis, ports: new ChainPorts(0, chain), mode: 'WARP', settings })
  const log = new LogBook()
  const random = new Random(7)
  const checkpoint = { height: manifest.height, hash: manifest.header.hash }
  const { path = join(home, 'chain'), folder = join(home, 'warp') } = options
  const warp = new Warp(
    {
      genesis,
      network: wrap(network),
      log,
      checkChunk: checking(async (plan, data) => {
        const check = checkChunk(genesis, [plan], 0, data)
        return check.ok ? undefined : check.failure
      })
    },
    { checkpoint, random: () => random.float(), gatherMs: 100, ...options, path, folder }
  )
  const penalised = new Map<string, string>()
  warp.on('penalise', (peer, { code, message }) => {
    if (!HONEST.has(code)) penalised.set(peer, code)
    network.penalise(peer, code, message)
  })
  const known = new Set<string>()
  let allKnown: () => void = () => {}
  const ready = new Promise<void>((resolve) => {
    allKnown = resolve
  })
  network.sessions.on('update', ({ peerId, source, height, earliestHeight, syncing }) => {
    if (!source || height === 0) return
    warp.setPeer({ id: peerId, height, earliest: earliestHeight, syncing })
    if (known.add(peerId).size === servers.length) allKnown()
  })
  network.sessions.on('closed', ({ peerId }) => warp.removePeer(peerId))
  await Promise.all(servers.map(({ address }) => network.dial(address)))
  if (servers.length > 0) await ready
  const controller = new AbortController()
  const outcome = warp.run(controller.signal)
  outcome.catch(() => {})
  onTestFinished(async () => {
    controller.abort(new Error('the test is over'))
    await outcome.catch(() => {})
  })
  return { warp, network, path, folder, log, penalised, outcome, controller }
}

/** Codes that the table of verdicts ignores. */
const HONEST = new Set(['UNAVAILABLE', 'NOT_READY', 'RATE_LIMITED', 'PEER_UNSUPPORTED', 'PEER_UNKNOWN', 'PEER_CLOSED'])
