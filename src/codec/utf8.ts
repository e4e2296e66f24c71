/**
 * Whether bytes[start, end) are valid UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
 * Written out because the strings of an event are short and nearly all ASCII: a call out of JavaScript costs more.
 */
export function isUtf8(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start
  while (at < end) {
    const lead = bytes[at++] as number
    if (lead < 0x80) continue
    // Continuation bytes, and the range of the first of them, which rules out overlong forms and surrogates.
    let rest: number
    let low = 0x80
    let high = 0xbf
    if (lead >= 0xc2 && lead <= 0xdf) rest = 1
    else if (lead >= 0xe0 && lead <= 0xef) {
      rest = 2
      if (lead === 0xe0) low = 0xa0
      else if (lead === 0xed) high = 0x9f
    } else if (lead >= 0xf0 && lead <= 0xf4) {
      rest = 3
      if (lead === 0xf0) low = 0x90
      else if (lead === 0xf4) high = 0x8f
    } else return false
    if (at + rest > end) return false
    for (; rest > 0; rest--) {
      const next = bytes[at++] as number
      if (next < low || next > high) return false
      low = 0x80
      high = 0xbf
    }
  }
  return true
}
