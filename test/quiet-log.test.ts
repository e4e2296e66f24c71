import { expect, it } from 'vitest'
import { LINES_A_MINUTE, quietLog } from '../src/quiet-log.ts'
import { ManualClock } from './consensus/support/manual-clock.ts'

it('lets a few warnings and errors through a minute and says how many there were besides', async () => {
  const clock = new ManualClock()
  const lines: string[] = []
  const line = (level: string) => (details: object, message: string) =>
    void lines.push(`${level} ${message} ${JSON.stringify(details)}`)
  const log = quietLog({ debug: () => {}, info: line('info'), warn: line('warn'), error: line('error') }, clock)
  for (let i = 0; i < 10; i++) log[i % 2 === 0 ? 'error' : 'warn']({ i }, 'again')
  log.info({}, 'news')
  expect(lines).toEqual(['error again {"i":0}', 'warn again {"i":1}', 'error again {"i":2}', 'info news {}'])
  expect(LINES_A_MINUTE).toBe(3)
  await clock.pass(60_000)
  log.warn({ i: 10 }, 'again')
  log.warn({ i: 11 }, 'again')
  expect(lines.slice(4)).toEqual(['warn again {"i":10,"notShown":7}', 'warn again {"i":11}'])
})
