import { expect, test } from 'vitest'
import { LossyLines, type Port } from '../../src/lines.ts'
import type { Log } from '../../src/log.ts'
import { Closers } from '../../src/node/closers.ts'
import { createLogger } from '../../src/node/logger.ts'

function capture(): { log: Log; lines: () => Record<string, unknown>[] } {
  let text = ''
  const port: Port = {
    waitingBytes: 0,
    put: (part, done) => {
      text += part
      done()
    }
  }
  const log = createLogger({ level: 'info', format: 'json' }, new LossyLines(port))
  return {
    log,
    lines: () =>
      text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
  }
}

test('lines are JSON with hex for bytes and without secrets', () => {
  const { log, lines } = capture()
  const seed = new Uint8Array(32).fill(0xab)
  log.info({ hash: new Uint8Array([1, 255]), seed, key: { secretKey: seed, token: 'hush' }, token: 'hush' }, 'hello')
  log.debug({}, 'not shown')
  const [line, ...rest] = lines()
  expect(rest).toEqual([])
  expect(line).toMatchObject({ level: 'info', msg: 'hello', hash: '01ff', seed: '[redacted]', token: '[redacted]' })
  expect(JSON.stringify(line)).not.toMatch(/hush|abab|171/)
})

test('closers run in reverse, name what is awaited and outlive a failing part', async () => {
  const { log, lines } = capture()
  const closers = new Closers(log)
  const order: string[] = []
  const seen: (string | undefined)[] = []
  for (const name of ['store', 'network', 'api']) {
    closers.add(name, async () => {
      seen.push(closers.waitingFor)
      await Promise.resolve()
      order.push(name)
      if (name === 'network') throw new Error('stuck socket')
    })
  }
  const first = closers.close()
  expect(closers.close()).toBe(first)
  await first
  expect(order).toEqual(['api', 'network', 'store'])
  expect(seen).toEqual(order)
  expect(closers.waitingFor).toBeUndefined()
  expect(lines()).toMatchObject([{ level: 'error', part: 'network', msg: 'could not close network' }])
})
