import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { hasCode } from '../../error.ts'
import type { GossipStats } from '../../trace/measures/gossip-stats.ts'
import { csvFiles } from '../../trace/report/csv.ts'
import type { Cli } from '../cli.ts'

export async function writeCsv(cli: Cli, folder: string, stats: GossipStats): Promise<void> {
  mkdirSync(folder, { recursive: true })
  const files = csvFiles(stats)
  for (const { name, text } of files) writeFileSync(join(folder, name), text)
  cli.err(`${files.length} tables in ${folder}`)
}

/** Where no PNG can be drawn there are the SVGs. */
export async function writePlots(cli: Cli, folder: string, stats: GossipStats): Promise<void> {
  const { plotsOf } = await import('../../trace/plots/plots.ts')
  const { renderPng, renderSvg } = await import('../../trace/plots/render.ts')
  mkdirSync(folder, { recursive: true })
  const plots = plotsOf(stats)
  let noPng: string | undefined
  for (const plot of plots) {
    const svg = await renderSvg(plot)
    writeFileSync(join(folder, `${plot.name}.svg`), svg)
    if (noPng !== undefined) continue
    try {
      writeFileSync(join(folder, `${plot.name}.png`), await renderPng(svg))
    } catch (error) {
      if (!hasCode(error, 'NO_PNG')) throw error
      noPng = error.message
    }
  }
  if (noPng !== undefined) cli.err(noPng)
  cli.err(`${plots.length} plots in ${folder}`)
}
