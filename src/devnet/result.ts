/** How a devnet's run ended: what `--json` prints, and whether the nodes agree. */
import type { NodeStatus } from './api-client.ts'
import type { Devnet } from './devnet.ts'
import type { LateNodeResult } from './late-node.ts'
import type { Latencies } from './latency.ts'
import type { TraceSummary } from './traces.ts'

export interface DevnetResult {
  readonly chain_id: string
  /** The highest height that all nodes have finalized. */
  readonly finalized_height: number
  /** Events in blocks 1 … finalized_height. */
  readonly events_finalized: number
  readonly finality_ms: { readonly p50: number | null; readonly p99: number | null }
  readonly late_node: LateNodeResult | null
  /** `finalized_hash` is each node's own hash at `finalized_height`, the last height that all have. */
  readonly nodes: readonly {
    readonly name: string
    readonly role: string
    readonly api: string
    readonly peer_id: string
    readonly finalized_height: number
    readonly finalized_hash: string
  }[]
  /** The nodes' gossip traces, if they were asked for. */
  readonly trace: TraceSummary | null
}

/** How long the nodes may take to come to one height once nothing is fed any more. */
const LEVEL_MS = 15_000

/** Asks every node for its chain. Whether they agree is for `disagreement` to say. */
export async function collectResult(
  devnet: Devnet,
  latencies: Latencies,
  late: LateNodeResult | undefined
): Promise<DevnetResult> {
  const statuses = await levelled(devnet)
  const [lowest] = [...statuses.values()].sort((a, b) => a.finalized.height - b.finalized.height)
  if (lowest === undefined) throw new Error('no node answers')
  const height = lowest.finalized.height
  const nodes = await Promise.all(
    devnet.running.map(async ({ name, role, api, peerId }) => ({
      name,
      role,
      api: api.url,
      peer_id: peerId,
      finalized_height: height,
      finalized_hash: (await api.blockHash(height).catch(() => undefined)) ?? ''
    }))
  )
  return {
    chain_id: lowest.chain_id,
    finalized_height: height,
    events_finalized: eventsAt(height, statuses),
    finality_ms: { p50: latencies.percentile(0.5) ?? null, p99: latencies.percentile(0.99) ?? null },
    late_node: late ?? null,
    nodes,
    trace: null
  }
}

/** What a node that keeps events and has come to this height counts. */
function eventsAt(height: number, statuses: ReadonlyMap<string, NodeStatus>): number {
  const counts = [...statuses.values()].flatMap(({ finalized, event_total: total }) =>
    finalized.height === height && total !== null ? [total] : []
  )
  return counts[0] ?? 0
}

/** Statuses with one finalized height, or the last ones seen if the nodes do not come to one. */
async function levelled(devnet: Devnet): Promise<Map<string, NodeStatus>> {
  let statuses = new Map<string, NodeStatus>()
  const level = async () => {
    statuses = await devnet.statuses()
    const heights = new Set([...statuses.values()].map((status) => status.finalized.height))
    return heights.size === 1 && statuses.size === devnet.running.length
  }
  await devnet.waitFor('all nodes at one height', level, LEVEL_MS).catch(() => undefined)
  return statuses
}

/** Who is on another chain than the first node at the last common height, in one line; undefined if all agree. */
export function disagreement({ nodes, finalized_height }: DevnetResult): string | undefined {
  const [first] = nodes
  const others = nodes.filter((node) => node.finalized_hash === '' || node.finalized_hash !== first?.finalized_hash)
  if (others.length === 0) return undefined
  const hashes = nodes.map((node) => `${node.name} ${node.finalized_hash.slice(0, 12) || 'none'}`).join(', ')
  return `the nodes do not agree on block ${finalized_height}: ${hashes}`
}
