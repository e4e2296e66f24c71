import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { gunzipSync } from 'node:zlib'
import type { EventBody } from '../chain/event.ts'
import { parseEventLine } from '../devnet/event-input.ts'
import { MolochError, messageOf } from '../error.ts'
import type { Cli } from './cli.ts'

/** The name that a line without an actor is given where keys are made by name; here the key says who it is. */
const NO_NAME = 'anonymous'

/**
 * The events of a file of JSON lines (gzipped if it ends in .gz), or of standard input for `-`.
 * @param maxEventBytes of the chain that they are for
 * @throws MolochError BAD_EVENTS_FILE | BAD_EVENTS_LINE, one line naming file and line
 */
export async function readEventLines(
  cli: Cli,
  file: string,
  maxEventBytes: number
): Promise<Omit<EventBody, 'timestamp'>[]> {
  const name = file === '-' ? 'standard input' : file
  const text = file === '-' ? await readAll(cli.stdin()) : readFile(file)
  const events: Omit<EventBody, 'timestamp'>[] = []
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue
    try {
      const { actor, fields } = parseEventLine(line, maxEventBytes)
      events.push(actor === NO_NAME ? { ...fields, actorName: undefined } : fields)
    } catch (error) {
      if (!(error instanceof MolochError)) throw error
      throw new MolochError('BAD_EVENTS_LINE', `${name} line ${index + 1}: ${error.message}`)
    }
  }
  if (events.length > 0) return events
  throw new MolochError('BAD_EVENTS_FILE', `${name} has no events; one JSON object a line is accepted`)
}

function readFile(file: string): string {
  try {
    const bytes = readFileSync(resolve(file))
    return (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8')
  } catch (error) {
    throw new MolochError('BAD_EVENTS_FILE', `cannot read events from ${file}: ${messageOf(error)}`)
  }
}

async function readAll(input: AsyncIterable<Uint8Array | string>): Promise<string> {
  const parts: Uint8Array[] = []
  for await (const part of input) parts.push(typeof part === 'string' ? Buffer.from(part) : part)
  return Buffer.concat(parts).toString('utf8')
}
