import { connect } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { launch, moloch, temporary } from './support.ts'

const READY =
  /^moloch \S+ ready: (validator|observer|light node) of devnet-[0-9a-f]{8} at height \d+, API (http:\/\/127\.0\.0\.1:\d+), /

/** A validator of a chain of `validators`, alone, once it has said that it is ready. */
async function start(validators: number, ...args: string[]) {
  const net = join(await temporary(), 'net')
  expect(await moloch('init', '--devnet', String(validators), '--home', net)).toMatchObject({ code: 0 })
  const node = launch([
    'start',
    '--home',
    join(net, 'validator-1'),
    '--listen',
    '/ip4/127.0.0.1/tcp/0',
    '--api-port',
    '0',
    ...args
  ])
  const line = await firstOutput(node.child.stdout)
  const url = new URL(READY.exec(line)?.[2] ?? `no URL in ${line}`)
  return { ...node, line, url, said: (pattern: RegExp) => says(node.child.stderr, pattern) }
}

function firstOutput(stream: NodeJS.ReadableStream | null): Promise<string> {
  return new Promise((resolve) => stream?.once('data', (text) => resolve(String(text))))
}

function says(stream: NodeJS.ReadableStream | null, pattern: RegExp): Promise<void> {
  return new Promise((resolve) => {
    const listener = (text: unknown) => {
      if (!pattern.test(String(text))) return
      stream?.off('data', listener)
      resolve()
    }
    stream?.on('data', listener)
  })
}

test.each(['SIGINT', 'SIGTERM'] as const)('one line when ready; %s stops it in order', async (signal) => {
  const node = await start(1)
  expect(node.line).toMatch(READY)
  expect(node.line.trimEnd()).not.toContain('\n')
  node.child.kill(signal)
  const { code, stdout, stderr } = await node.ended
  expect(code).toBe(0)
  expect(stdout).toBe(node.line)
  expect(stderr).toContain(`${signal}: stopping; again to stop at once`)
  expect(stderr).not.toMatch(/^\s+at /m)
})

test('what holds up the stop is named; the second signal ends it at once', async () => {
  // A request that never ends: its grace is the longest part of a stop.
  const node = await start(1)
  const socket = connect(Number(node.url.port), node.url.hostname)
  socket.on('error', () => {})
  socket.write(
    'POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n'
  )
  await new Promise((resolve) => socket.once('connect', resolve))
  expect((await fetch(`${node.url}health/live`)).status).toBe(200)
  const waiting = node.said(/waiting for API requests/)
  node.child.kill('SIGTERM')
  await waiting
  node.child.kill('SIGTERM')
  const { code, stderr } = await node.ended
  expect(code).toBe(1)
  expect(stderr).toContain('SIGTERM: stopped at once')
  socket.destroy()
})

test('a chain that cannot go on stops as quickly', async () => {
  const node = await start(4)
  node.child.kill('SIGTERM')
  // With code 1 it would have been cut short: an orderly stop takes at most 10 s.
  expect(await node.ended).toMatchObject({ code: 0 })
})

test('a reader that has had enough is no fault', async () => {
  const { child, ended } = launch(['config', 'show', '--home', await temporary()])
  child.stdout?.destroy()
  expect(await ended).toMatchObject({ code: 0, stderr: '' })
})
