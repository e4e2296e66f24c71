/** Where a live line goes: a terminal. */
export interface Terminal {
  readonly columns?: number
  write(text: string): unknown
}

const CLEAR = '\u001b[2K'

/**
 * One line that is written over itself. The cursor stays at its start, and whatever else is written to the terminal clears
 * the line first (as the log does), so neither garbles the other.
 */
export function liveLine(terminal: Terminal): (line: string | undefined) => void {
  return (line) => {
    const width = Math.max(1, (terminal.columns ?? 80) - 1)
    terminal.write(`${CLEAR}${(line ?? '').slice(0, width)}\r`)
  }
}
