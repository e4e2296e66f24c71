import { execFileSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { describe, expect, onTestFinished, test } from 'vitest'
import { DescriptorPort, LossyLines, type Port, portOf } from '../src/lines.ts'
import { createLogger } from '../src/node/logger.ts'

const BOUND = 100_000

describe.each([
  ['of a pipe', (fd: number) => portOf(fd, new Socket({ fd, readable: false }))],
  ['of a descriptor that does not wait, as a terminal’s', (fd: number) => new DescriptorPort(fd)]
])('the reader %s', (_, port) => {
  test('who reads nothing holds up nobody, and is told what it missed once it reads', async () => {
    const pipe = new Pipe()
    const { lines, told } = watched(port(pipe.writeEnd))
    let written = 0
    while (lines.lost === 0 && written < 100_000) lines.write(lineOf(written++))
    for (let i = 0; i < 9; i++) lines.write(lineOf(written++))
    expect(lines.lost).toBe(10)
    expect(lines.fault).toBe('NOT_READ')

    let text = ''
    await expect
      .poll(() => {
        text += pipe.read()
        return told
      })
      .toEqual([[10, 'NOT_READ']])
    expect(lines.fault).toBeUndefined()
    lines.write('the last\n')
    await expect
      .poll(() => {
        text += pipe.read()
        return text.endsWith('the last\n')
      })
      .toBe(true)
    // Whole lines in order: what was let go is the newest.
    const expected = Array.from({ length: written - 10 }, (_, i) => lineOf(i)).join('')
    expect(text === `${expected}the last\n`).toBe(true)
  })

  test('who has left is no fault of the writer', async () => {
    const pipe = new Pipe()
    const { lines } = watched(port(pipe.writeEnd))
    lines.write(lineOf(1))
    await expect.poll(() => pipe.read()).toBe(lineOf(1))
    pipe.leave()
    for (let i = 0; i < 5; i++) lines.write(lineOf(i))
    await expect.poll(() => lines.lost).toBe(5)
    expect(lines.fault).toMatch(/^(EPIPE|ERR_STREAM_DESTROYED)$/)
  })
})

test('a full device neither throws nor waits', () => {
  const fd = openSync('/dev/full', 'w')
  onTestFinished(() => closeSync(fd))
  const { lines, told } = watched(portOf(fd, new PassThrough()))
  for (let i = 0; i < 3; i++) lines.write(lineOf(i))
  expect([lines.lost, lines.fault, told]).toEqual([3, 'ENOSPC', []])
})

test('a disk that was full in the middle of a line: the next begins a new one, and the log says what is lost', () => {
  let [text, room] = ['', 1e9]
  const disk = new DescriptorPort(-1, (_, bytes) => {
    if (room === 0) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
    const part = Buffer.from(bytes).toString('latin1').slice(0, room)
    text += part
    room -= part.length
    return part.length
  })
  const log = createLogger({ level: 'info', format: 'json' }, new LossyLines(disk))
  log.info({}, 'before')
  room = 10
  log.info({}, 'cut')
  log.info({}, 'nowhere')
  room = 1e9
  log.info({}, 'after')
  const lines = text.trimEnd().split('\n')
  expect(lines).toHaveLength(4)
  expect(lines[1]).toHaveLength(10)
  expect([lines[0], lines[2], lines[3]].map((line) => JSON.parse(line ?? ''))).toMatchObject([
    { msg: 'before' },
    { msg: 'after' },
    { level: 'warn', lost: 2, fault: 'ENOSPC', msg: expect.stringContaining('lost') }
  ])
})

function lineOf(i: number): string {
  return `${i} ${'x'.repeat(i % 500)}\n`
}

function watched(port: Port) {
  const lines = new LossyLines(port, BOUND)
  const told: [number, string][] = []
  lines.onTakenAgain = (lost, fault) => told.push([lost, fault])
  return { lines, told }
}

/** A named pipe of which this process has both ends; neither waits. */
class Pipe {
  readonly writeEnd: number
  readonly #readEnd: number
  #open = true

  constructor() {
    const folder = mkdtempSync(join(tmpdir(), 'moloch-lines-'))
    const path = join(folder, 'pipe')
    execFileSync('mkfifo', [path])
    this.#readEnd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    this.writeEnd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK)
    onTestFinished(() => {
      this.leave()
      rmSync(folder, { recursive: true })
    })
  }

  leave(): void {
    if (this.#open) closeSync(this.#readEnd)
    this.#open = false
  }

  /** What there is now. */
  read(): string {
    const part = Buffer.alloc(1 << 16)
    try {
      return part.toString('latin1', 0, readSync(this.#readEnd, part))
    } catch {
      return ''
    }
  }
}
