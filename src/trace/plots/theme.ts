import type { Config } from 'vega'

/** What PNGs have; whoever shows an SVG may not have it. */
const FONT = 'Lato, Helvetica, Arial, sans-serif'

/** Okabe and Ito's colours, which the colour-blind tell apart, without the yellow that white swallows. */
export const COLOURS = ['#0072B2', '#E69F00', '#009E73', '#CC79A7', '#56B4E9', '#D55E00', '#000000'] as const
export const REST_COLOUR = '#BBBBBB'

/** Lines differ in dashes too, for prints in grey. */
export const DASHES = [[], [8, 3], [2, 2], [8, 3, 2, 3], [12, 4], [4, 4], [1, 3]] as const

const TEXT = '#222222'
const GREY = '#888888'

export const CONFIG: Config = {
  background: '#FFFFFF',
  title: { font: FONT, subtitleFont: FONT, fontSize: 16, subtitleFontSize: 12, color: TEXT, subtitleColor: '#555555' },
  axis: {
    labelFont: FONT,
    titleFont: FONT,
    labelFontSize: 11,
    titleFontSize: 12,
    titleFontWeight: 'bold',
    labelColor: TEXT,
    titleColor: TEXT,
    titlePadding: 8,
    grid: true,
    gridColor: '#E6E6E6',
    domainColor: GREY,
    tickColor: GREY
  },
  legend: {
    labelFont: FONT,
    titleFont: FONT,
    labelFontSize: 12,
    labelColor: TEXT,
    symbolStrokeWidth: 2.5,
    // Texts are cut to length here: without a canvas Vega takes them for wider than they are.
    labelLimit: 0,
    orient: 'bottom',
    offset: 14
  },
  text: { font: FONT }
}
