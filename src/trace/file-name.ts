import { TRACE_FORMATS, type TraceFormat } from './format.ts'

/** A file of a trace: NAME-000001.EXT and on. */
export interface TraceFileName {
  readonly name: string
  readonly number: number
  readonly format: TraceFormat
}

/**
 * There are no more files of one name. Always of six digits: NAME-20261125.pb is by somebody who names files by the day, and
 * no file that one may remove.
 */
export const MAX_FILE_NUMBER = 999_999

const SCHEME = /^(.+)-(\d{6})\.([a-z.]+)$/

export function traceFileName({ name, number, format }: TraceFileName): string {
  return `${name}-${String(number).padStart(6, '0')}.${format}`
}

/** @param file without its folder @returns undefined for what no writer has named so */
export function parseTraceFileName(file: string): TraceFileName | undefined {
  const [, name, digits, extension] = SCHEME.exec(file) ?? []
  const format = TRACE_FORMATS.find((one) => one === extension)
  if (name === undefined || format === undefined || Number(digits) === 0) return undefined
  return { name, number: Number(digits), format }
}

/** What says that a process writes files of the name. */
export function lockFileName(name: string): string {
  return `.${name}.lock`
}
