const ISO = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,3}))?)?(?:Z|([+-])(\d{2}):(\d{2}))$/

/** What `isoTime` accepts, in words that end a sentence. */
export const ISO_ACCEPTED = 'a date and time with its zone, such as 2026-01-31T12:00:00Z or 2026-01-31T12:00+01:00,'

/**
 * Unix ms of an ISO 8601 date and time with its zone, 1970 or later; undefined if the text is none. `Date.parse` takes
 * "2026" and "ticket 5" for times, and a time without a zone for one of wherever it runs.
 */
export function isoTime(text: string): number | undefined {
  const parts = ISO.exec(text)
  if (parts === null) return undefined
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map((part) => Number(part ?? 0)) as Six
  const zone = [parts[9], parts[10]].map((part) => Number(part ?? 0)) as [number, number]
  if (hour > 23 || minute > 59 || second > 59 || zone[0] > 23 || zone[1] > 59) return undefined
  const time = Date.UTC(year, month - 1, day, hour, minute, second, Number((parts[7] ?? '').padEnd(3, '0')))
  // February 30 would be March 2.
  const date = new Date(time)
  if (date.getUTCFullYear() !== year || date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined
  const offset = (zone[0] * 60 + zone[1]) * 60_000
  const utc = parts[8] === '-' ? time + offset : time - offset
  return utc >= 0 ? utc : undefined
}

type Six = [year: number, month: number, day: number, hour: number, minute: number, second: number]
