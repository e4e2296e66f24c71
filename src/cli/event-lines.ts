import { resolve } from 'node:path'
import type { EventBody } from '../chain/event.ts'
import { eventLines, eventsFile } from '../devnet/event-lines.ts'
import { MolochError } from '../error.ts'
import type { Cli } from './cli.ts'

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
  const lines = file === '-' ? eventLines(name, cli.stdin(), maxEventBytes) : eventsFile(resolve(file), maxEventBytes)
  const events: Omit<EventBody, 'timestamp'>[] = []
  for await (const { fields } of lines) events.push(fields)
  if (events.length > 0) return events
  throw new MolochError('BAD_EVENTS_FILE', `${name} has no events; one JSON object a line is accepted`)
}
