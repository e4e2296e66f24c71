import { MolochError } from '../error.ts'

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const NEW_LINE = 0x0a

/**
 * The text that UTF-8 bytes are. Node's own decoders put U+FFFD for what is none, and leave out a byte order mark: what would
 * then be signed, or hashed, is not what was given.
 * @throws MolochError BAD_TEXT, what is wrong in which line
 */
export function strictText(bytes: Uint8Array): string {
  const fault = startFault(bytes)
  if (fault !== undefined) throw badText(`line 1 ${fault}`)
  try {
    return decoder.decode(bytes)
  } catch {
    throw badText(`line ${faultyLine(bytes)} is not UTF-8; UTF-8 is accepted`)
  }
}

/** What a file begins with that is no UTF-8 text; undefined: nothing. */
function startFault([a, b, c]: Uint8Array): string | undefined {
  if (a === 0xef && b === 0xbb && c === 0xbf)
    return 'begins with a byte order mark (BOM); UTF-8 without one is accepted'
  if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff)) return 'begins as UTF-16 does; UTF-8 is accepted'
  if (a === 0x1f && b === 0x8b)
    return 'begins as a gzipped file does; text is accepted, gzipped if the name ends in .gz'
  return undefined
}

function faultyLine(bytes: Uint8Array): number {
  let line = 1
  for (let start = 0; ; line++) {
    const newLine = bytes.indexOf(NEW_LINE, start)
    const end = newLine < 0 ? bytes.byteLength : newLine
    try {
      decoder.decode(bytes.subarray(start, end))
    } catch {
      return line
    }
    if (newLine < 0) return line
    start = newLine + 1
  }
}

export interface TextLine {
  /** From 1. */
  readonly number: number
  readonly text: string
}

/** A longer line is no line of text that anybody means. */
const MAX_LINE_BYTES = 4 << 20

/**
 * The lines of UTF-8 bytes, as they come in; what the last one lacks is its end.
 * @throws MolochError BAD_TEXT, what is wrong in which line
 */
export async function* textLines(input: AsyncIterable<Uint8Array | string>): AsyncGenerator<TextLine> {
  let rest: Uint8Array = new Uint8Array(0)
  let number = 1
  for await (const part of input) {
    const bytes = Buffer.concat([rest, typeof part === 'string' ? Buffer.from(part) : part])
    let start = 0
    for (let end = bytes.indexOf(NEW_LINE); end >= 0; end = bytes.indexOf(NEW_LINE, start)) {
      yield lineOf(bytes.subarray(start, end), number++)
      start = end + 1
    }
    rest = bytes.subarray(start)
    if (rest.byteLength > MAX_LINE_BYTES) {
      throw badText(`line ${number} is longer than ${MAX_LINE_BYTES} bytes; a shorter one is accepted`)
    }
  }
  if (rest.byteLength > 0) yield lineOf(rest, number)
}

function lineOf(bytes: Uint8Array, number: number): TextLine {
  const fault = number === 1 ? startFault(bytes) : undefined
  if (fault !== undefined) throw badText(`line 1 ${fault}`)
  try {
    const text = decoder.decode(bytes)
    return { number, text: text.endsWith('\r') ? text.slice(0, -1) : text }
  } catch {
    throw badText(`line ${number} is not UTF-8; UTF-8 is accepted`)
  }
}

function badText(message: string): MolochError {
  return new MolochError('BAD_TEXT', message)
}
