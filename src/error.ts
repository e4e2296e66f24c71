/**
 * The one error class of the project. `code` is stable and documented; `message` is one line for people that names
 * the thing, the value and what would do; `details` are plain data for logs and programs.
 */
export class MolochError<Code extends string = string> extends Error {
  override readonly name = 'MolochError'
  readonly code: Code
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: Code, message: string, details: Record<string, unknown> = {}, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
    this.details = details
  }

  toJSON(): Record<string, unknown> {
    return { ...this.details, code: this.code, message: this.message }
  }
}

export function hasCode<Code extends string>(error: unknown, code: Code): error is MolochError<Code> {
  return error instanceof MolochError && error.code === code
}

/** What anything thrown says, in one line. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Whether this was thrown because the signal ended the work: an error that came up beside that is another matter. */
export function isCalledOff(error: unknown, signal: AbortSignal | undefined): boolean {
  if (signal?.aborted !== true) return false
  // What Node's own functions throw has the reason as its cause.
  return (
    error === signal.reason || (error instanceof Error && error.name === 'AbortError' && error.cause === signal.reason)
  )
}
