/** The furthest time that a Date can hold, in Unix ms; the chain's times go up to 2^53 - 1. */
const MAX_DATE_MS = 8.64e15

/** A time in Unix ms as a date, or as the number it is where no date is that late. */
export function timeText(ms: number): string {
  return Math.abs(ms) <= MAX_DATE_MS ? new Date(ms).toISOString() : String(ms)
}
