import { getOrMake } from './get-or-make.ts'
import type { FirstDelivererStats } from './gossip-stats.ts'
import { peerText } from './keys.ts'
import { ratio } from './ratio.ts'

/** Which peer brought how many messages first, by the node that received them. */
export class FirstDeliverers {
  readonly #deliveries = new Map<string, Map<string, number>>()

  add(node: string, peer: string): void {
    const peers = getOrMake(this.#deliveries, node, () => new Map<string, number>())
    peers.set(peer, (peers.get(peer) ?? 0) + 1)
  }

  /** With the receiving nodes in the order of `nodes`. */
  stats(nodes: Iterable<string>): FirstDelivererStats {
    const rows = [...nodes].flatMap((node) => {
      const counts = this.#deliveries.get(node)
      return counts === undefined ? [] : [nodeRow(node, counts)]
    })
    const shares = rows.map((row) => row.top_share)
    return {
      top_share_mean: ratio(
        shares.reduce((sum, share) => sum + share, 0),
        shares.length
      ),
      top_share_max: shares.length === 0 ? null : Math.max(...shares),
      nodes: rows
    }
  }
}

function nodeRow(node: string, counts: ReadonlyMap<string, number>): FirstDelivererStats['nodes'][number] {
  const delivered = [...counts.values()].reduce((sum, count) => sum + count, 0)
  const peers = [...counts]
    .map(([peer, count]) => ({ peer: peerText(peer), delivered: count, share: count / delivered }))
    .sort((a, b) => b.delivered - a.delivered || (a.peer < b.peer ? -1 : 1))
  return { node: peerText(node), delivered, top_share: peers[0]?.share ?? 0, peers }
}
