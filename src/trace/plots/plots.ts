import type { GossipStats } from '../measures/gossip-stats.ts'
import { controlPlot } from './control.ts'
import { duplicatesPlot } from './duplicates.ts'
import { firstDeliverersPlot } from './first-deliverers.ts'
import { meshPlot } from './mesh.ts'
import type { Plot } from './plot.ts'
import { propagationPlot } from './propagation.ts'

/** All plots of the stats; one without data says so in its picture. */
export function plotsOf(stats: GossipStats): Plot[] {
  return [propagationPlot, duplicatesPlot, meshPlot, controlPlot, firstDeliverersPlot].map((make) => make(stats))
}
