/** Events as JSON lines: of a file, gzipped or not, or of standard input. */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { textLines } from '../codec/strict-text.ts'
import { MolochError, messageOf } from '../error.ts'
import { type EventInput, parseEventLine } from './event-input.ts'

/**
 * The events of a file of JSON lines, gzipped if its name ends in .gz.
 * @param maxEventBytes of the chain that they are for
 * @throws MolochError BAD_EVENTS_FILE | BAD_EVENTS_LINE, one line that names file and line
 */
export async function* eventsFile(path: string, maxEventBytes?: number): AsyncGenerator<EventInput> {
  const found = await stat(path).catch(() => undefined)
  if (!found?.isFile()) {
    throw new MolochError('BAD_EVENTS_FILE', `${path} is not a file; JSON lines (.jsonl or .jsonl.gz) are accepted`)
  }
  const file = createReadStream(path)
  const input: Readable = path.endsWith('.gz') ? file.pipe(createGunzip()) : file
  // `pipe` does not pass errors on: without this a read error would leave the reader waiting.
  if (input !== file) file.once('error', (error) => input.destroy(error))
  try {
    yield* eventLines(path, input, maxEventBytes)
  } finally {
    file.destroy()
  }
}

/**
 * The events of JSON lines; lines without anything are skipped.
 * @param name of what they come from
 * @throws MolochError BAD_EVENTS_FILE | BAD_EVENTS_LINE, one line that names what they come from and the line
 */
export async function* eventLines(
  name: string,
  input: AsyncIterable<Uint8Array | string>,
  maxEventBytes?: number
): AsyncGenerator<EventInput> {
  let last = 0
  try {
    for await (const { number, text } of textLines(input)) {
      last = number
      if (text.trim() !== '') yield lineInput(text, number, maxEventBytes)
    }
  } catch (error) {
    if (error instanceof MolochError) throw new MolochError('BAD_EVENTS_LINE', `${name} ${error.message}`)
    throw new MolochError('BAD_EVENTS_FILE', `${name} after line ${last}: ${messageOf(error)}`)
  }
}

function lineInput(text: string, number: number, maxEventBytes: number | undefined): EventInput {
  try {
    return parseEventLine(text, maxEventBytes)
  } catch (error) {
    if (!(error instanceof MolochError)) throw error
    throw new MolochError('BAD_EVENTS_LINE', `line ${number}: ${error.message}`)
  }
}
