import { type DestinationStream, type Logger, pino, stdSerializers } from 'pino'
import { prettyFactory } from 'pino-pretty'
import { toHex } from '../codec/bytes.ts'
import { type LossyLines, stderrLines } from '../lines.ts'
import type { Config } from './config/schema.ts'

/** Keys under which a secret could be logged by mistake, at the top and one level down. */
const SECRET_KEYS = ['seed', 'secretKey', 'privateKey', 'peerKey', 'token', 'authorization', 'password', 'secret']

/**
 * The node's logger: JSON lines on stderr, or for people when that is a terminal. Satisfies `Log`. The log never decides
 * over the node: what is not taken is let go, and how much that was is logged when lines are taken again.
 */
export function createLogger(options: Config['log'], lines: LossyLines = stderrLines()): Logger {
  const log = pino(
    {
      level: options.level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      redact: { paths: SECRET_KEYS.flatMap((key) => [key, `*.${key}`]), censor: '[redacted]' },
      serializers: { err: stdSerializers.err },
      formatters: { level: (label) => ({ level: label }), log: hexed }
    },
    logStream(options.format, lines)
  )
  lines.onTakenAgain = (lost, fault) => log.warn({ lost, fault }, 'lines of this log are lost: they were not taken')
  return log
}

function logStream(format: Config['log']['format'], lines: LossyLines): DestinationStream {
  const terminal = process.stderr.isTTY === true
  if (format === 'json' || (format === 'auto' && !terminal)) return lines
  const pretty = prettyFactory({ translateTime: 'SYS:HH:MM:ss.l', ignore: 'pid,hostname' })
  // `moloch start` keeps a line on a terminal that shows how sync goes, and the cursor on it: it is cleared first.
  const clear = terminal ? '\u001b[2K' : ''
  return { write: (line) => lines.write(`${clear}${pretty(line)}`) }
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
