import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { RULINGS } from '../../src/network/verdicts.ts'

const HOUR = 3_600_000

function length(ms: number): string {
  if (ms === 0) return ''
  return ms < HOUR ? `${ms / 60_000} min` : `${ms / HOUR} h`
}

it('docs/sync.md has a line for every code, with the verdict of the table', () => {
  const text = readFileSync(new URL('../../docs/sync.md', import.meta.url), 'utf8')
  const lines = text.matchAll(/^\| `([A-Z_]+)` \| [^|]+ \| (\w+) \| (\d+) \| ([^|]*?) ?\|$/gm)
  const documented = Object.fromEntries([...lines].map(([, code, ...rest]) => [code, rest]))
  const decided = Object.entries(RULINGS).map(([code, { verdict, points, holdMs }]) => [
    code,
    [verdict, String(points), length(holdMs)]
  ])
  expect(documented).toEqual(Object.fromEntries(decided))
})
