import { createRequire } from 'node:module'
import { MolochError, messageOf } from '../../error.ts'
import type { Plot } from './plot.ts'

// Vega and resvg take 0.2 s and some tens of MB to load: only whoever plots pays for them.

const require = createRequire(import.meta.url)
/** Shipped with the node, since a machine may have no fonts; resvg reads TrueType, but no web fonts. */
const fontFiles = () => [
  require.resolve('@expo-google-fonts/lato/400Regular/Lato_400Regular.ttf'),
  require.resolve('@expo-google-fonts/lato/700Bold/Lato_700Bold.ttf')
]

/** The plot as an SVG document. */
export async function renderSvg({ spec }: Plot): Promise<string> {
  const { parse, View } = await import('vega')
  const view = new View(parse(spec), { renderer: 'none' })
  try {
    return await view.toSVG()
  } finally {
    view.finalize()
  }
}

/**
 * An SVG of `renderSvg` as PNG, with `scale` pixels a unit of it.
 * @throws MolochError NO_PNG where no binary of resvg runs
 */
export async function renderPng(svg: string, scale = 2): Promise<Uint8Array> {
  const { Resvg } = await import('@resvg/resvg-js').catch((cause: unknown) => {
    const message = `PNGs cannot be drawn on this machine (${process.platform} ${process.arch}), SVGs can: ${messageOf(cause)}`
    throw new MolochError('NO_PNG', message, {}, { cause })
  })
  const image = new Resvg(svg, {
    background: '#FFFFFF',
    fitTo: { mode: 'zoom', value: scale },
    // The machine's fonts would make other pictures on other machines.
    font: { loadSystemFonts: false, fontFiles: fontFiles(), defaultFontFamily: 'Lato', sansSerifFamily: 'Lato' }
  })
  return image.render().asPng()
}
