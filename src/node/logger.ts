import { writeSync } from 'node:fs'
import { Writable } from 'node:stream'
import { type DestinationStream, destination, type Logger, pino, stdSerializers } from 'pino'
import pretty from 'pino-pretty'
import { toHex } from '../codec/bytes.ts'
import type { Config } from './config/schema.ts'

/** Keys under which a secret could be logged by mistake, at the top and one level down. */
const SECRET_KEYS = ['seed', 'secretKey', 'privateKey', 'peerKey', 'token', 'authorization', 'password', 'secret']

const STDERR = 2

/** The node's logger: JSON lines on stderr, or for people when that is a terminal. Satisfies `Log`. */
export function createLogger(options: Config['log'], stream: DestinationStream = logStream(options.format)): Logger {
  return pino(
    {
      level: options.level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      redact: { paths: SECRET_KEYS.flatMap((key) => [key, `*.${key}`]), censor: '[redacted]' },
      serializers: { err: stdSerializers.err },
      formatters: { level: (label) => ({ level: label }), log: hexed }
    },
    stream
  )
}

/** Written synchronously: the last lines before a crash are the ones that matter. */
function logStream(format: Config['log']['format']): DestinationStream {
  const forPeople = format === 'pretty' || (format === 'auto' && process.stderr.isTTY === true)
  if (!forPeople) return destination({ fd: STDERR, sync: true })
  const terminal = process.stderr.isTTY === true
  return pretty({
    destination: terminal ? overLiveLine(STDERR) : STDERR,
    sync: true,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'pid,hostname'
  })
}

/** Clears the line that the cursor is on: `moloch start` keeps one there that shows how sync goes. */
function overLiveLine(fd: number): Writable {
  return new Writable({
    write: (chunk: Buffer, _, done) => {
      writeSync(fd, `\u001b[2K${chunk}`)
      done()
    }
  })
}

/** Hashes, ids and keys are bytes in the code and hex in the log. */
function hexed(details: Record<string, unknown>): Record<string, unknown> {
  let copy: Record<string, unknown> | undefined
  for (const [key, value] of Object.entries(details)) {
    if (!(value instanceof Uint8Array)) continue
    copy ??= { ...details }
    copy[key] = toHex(value)
  }
  return copy ?? details
}
