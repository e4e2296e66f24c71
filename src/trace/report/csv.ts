import { csvFormatRows } from 'd3-dsv'
import type { GossipStats } from '../measures/gossip-stats.ts'
import { statsTables } from './tables.ts'

/**
 * One CSV file (RFC 4180, UTF-8, a header line) for every table of the stats; a cell without a number is empty. Floats
 * have all their digits, so that they read back as the numbers of the JSON.
 */
export function csvFiles(stats: GossipStats): { readonly name: string; readonly text: string }[] {
  return statsTables(stats).map(({ name, columns, rows }) => ({
    name: `${name}.csv`,
    text: `${csvFormatRows([columns, ...rows].map((row) => row.map((cell) => String(cell ?? ''))))}\n`
  }))
}
