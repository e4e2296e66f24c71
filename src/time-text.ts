/** The furthest time that a Date can hold, in Unix ms; the chain's times go up to 2^53 - 1. */
const MAX_DATE_MS = 8.64e15

const UNITS: readonly (readonly [ms: number, name: string])[] = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1000, 's']
]

/** How long ago, in the two largest units: `3 d 4 h`, `12 s`. A time that is yet to come is `0 s`. */
export function ageText(ms: number): string {
  const at = UNITS.findIndex(([unit]) => ms >= unit)
  if (at < 0) return '0 s'
  let rest = ms
  const parts = UNITS.slice(at, at + 2).map(([unit, name]) => {
    const count = Math.floor(rest / unit)
    rest -= count * unit
    return [count, name] as const
  })
  return parts
    .filter(([count], i) => i === 0 || count > 0)
    .map(([count, name]) => `${count} ${name}`)
    .join(' ')
}

/** A time in Unix ms as a date, or as the number it is where no date is that late. */
export function timeText(ms: number): string {
  return Math.abs(ms) <= MAX_DATE_MS ? new Date(ms).toISOString() : String(ms)
}
