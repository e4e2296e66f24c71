import { decode } from 'fast-png'
import { XMLParser, XMLValidator } from 'fast-xml-parser'
import { expect, test } from 'vitest'
import type { TraceEvent } from '../../src/trace/event.ts'
import { measureTraces } from '../../src/trace/measures/gossip-measures.ts'
import { plotsOf } from '../../src/trace/plots/plots.ts'
import { renderPng, renderSvg } from '../../src/trace/plots/render.ts'
import { COLOURS } from '../../src/trace/plots/theme.ts'
import { Random } from '../support/random.ts'
import { gossipTraces, START } from './support/gossip-network.ts'
import { SMALL_TRACE, VOTES } from './support/small-trace.ts'

async function svgs(events: readonly TraceEvent[]): Promise<Map<string, string>> {
  const plots = plotsOf(await measureTraces(events))
  return new Map(await Promise.all(plots.map(async (plot) => [plot.name, await renderSvg(plot)] as const)))
}

/** How many marks of that name the SVG has: elements in Vega's groups of that class. */
function marks(svg: string | undefined, name: string): number {
  expect(XMLValidator.validate(svg ?? '')).toBe(true)
  const parser = new XMLParser({ ignoreAttributes: false, preserveOrder: true })
  let count = 0
  const visit = (nodes: readonly Record<string, unknown>[]) => {
    for (const node of nodes) {
      const attributes = node[':@'] as Record<string, string> | undefined
      const children = Object.entries(node).flatMap(([key, value]) =>
        key === ':@' || !Array.isArray(value) ? [] : value
      )
      if (attributes?.['@_class']?.split(' ').includes(name)) count += children.length
      visit(children)
    }
  }
  visit(parser.parse(svg ?? ''))
  return count
}

test('SVGs are well-formed and have a mark for every number', async () => {
  const plots = await svgs(SMALL_TRACE)
  expect([...plots.keys()]).toEqual([
    'propagation-delay-cdf',
    'duplicates-per-message',
    'mesh-degree',
    'control-overhead',
    'first-deliverers'
  ])
  // One topic has messages, both have a mesh.
  expect(marks(plots.get('propagation-delay-cdf'), 'cdf-line')).toBe(1)
  expect(marks(plots.get('duplicates-per-message'), 'bar')).toBe(3)
  expect(marks(plots.get('mesh-degree'), 'mesh-row')).toBe(2)
  expect(marks(plots.get('mesh-degree'), 'mesh-line')).toBe(2)
  expect(marks(plots.get('mesh-degree'), 'mesh-band')).toBe(2)
  // 7 kinds, both ways.
  expect(marks(plots.get('control-overhead'), 'control-bar')).toBe(14)
  // One node with one peer, two with two.
  expect(marks(plots.get('first-deliverers'), 'share-bar')).toBe(5)
  expect(plots.get('propagation-delay-cdf')).toContain('(ms, log scale)')
})

test('topics beyond the colours are joined or left out, and any name of a topic can be drawn', async () => {
  const nasty = ['<script>&"\'', 'bell\u0007\ufffe\ud800', 'x'.repeat(500), '__proto__', '']
  const topics = [...nasty, ...Array.from({ length: 7 }, (_, i) => `/t/${i}`)]
  const events = gossipTraces(new Random(7), { nodes: 5, topics, messages: 300, ms: 4000 })
  const plots = await svgs(events)
  expect(marks(plots.get('propagation-delay-cdf'), 'cdf-line')).toBe(COLOURS.length)
  expect(marks(plots.get('mesh-degree'), 'mesh-row')).toBe(COLOURS.length)
  expect(plots.get('duplicates-per-message')).toContain('>5 other topics<')
  for (const svg of plots.values()) expect((await renderPng(svg, 1)).byteLength).toBeGreaterThan(0)
})

test('a topic has one colour in all plots', async () => {
  // Before the topic with messages in the order of colours, and without any.
  const events = SMALL_TRACE.map((e) => ('topic' in e && e.topic === VOTES ? { ...e, topic: '/a' } : e))
  const plots = await svgs(events)
  expect(plots.get('mesh-degree')).toContain(COLOURS[0])
  expect(plots.get('mesh-degree')).toContain(COLOURS[1])
  expect(plots.get('propagation-delay-cdf')).not.toContain(COLOURS[0])
  expect(plots.get('propagation-delay-cdf')).toContain(COLOURS[1])
})

test('what there is nothing of is said in the picture', async () => {
  for (const [name, svg] of await svgs([])) expect([name, marks(svg, 'empty')]).toEqual([name, 1])
})

test('that records were lost is in every picture', async () => {
  const last = SMALL_TRACE.at(-1) as TraceEvent
  const lost: TraceEvent = { peerId: last.peerId, timestamp: START + 6_000_000_000n, type: 'LOST', count: 3 }
  for (const svg of (await svgs([...SMALL_TRACE, lost])).values()) expect(svg).toContain('records were lost')
})

test('a PNG has the size of its SVG times the scale, a white ground, the colours and text', async () => {
  for (const [name, svg] of await svgs(SMALL_TRACE)) {
    const [, width, height] = /width="([\d.]+)" height="([\d.]+)"/.exec(svg)?.map(Number) ?? []
    const png = decode(await renderPng(svg, 1.5))
    expect([name, png.width, png.height]).toEqual([
      name,
      Math.ceil((width as number) * 1.5),
      Math.ceil((height as number) * 1.5)
    ])
    const pixels = new Map<string, number>()
    for (let i = 0; i < png.data.length; i += png.channels) {
      const pixel = [...png.data.subarray(i, i + 3)].map((n) => n.toString(16).padStart(2, '0')).join('')
      pixels.set(pixel, (pixels.get(pixel) ?? 0) + 1)
    }
    expect([...png.data.subarray(0, 3)]).toEqual([255, 255, 255])
    expect([name, pixels.get(COLOURS[0].slice(1).toLowerCase()) ?? 0]).toEqual([name, expect.toSatisfy((n) => n > 100)])
    // The colour of titles: without a font no text would be drawn.
    expect([name, pixels.get('222222') ?? 0]).toEqual([name, expect.toSatisfy((n) => n > 100)])
  }
})
