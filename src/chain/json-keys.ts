/** `JSON.parse` keeps the last of two equal keys; a genesis that reads differently to two readers must not be. */

/**
 * The first key that an object of `text` has twice, as it is written there; undefined if there is none.
 * @param text valid JSON (`JSON.parse` took it): nothing but strings and braces is looked at
 */
export function duplicateKey(text: string): string | undefined {
  // One entry for each open bracket: the keys seen so far, or undefined in an array.
  const open: (Set<string> | undefined)[] = []
  let expectKey = false
  let at = 0
  while (at < text.length) {
    switch (text[at]) {
      case '{':
        open.push(new Set())
        expectKey = true
        break
      case '[':
        open.push(undefined)
        expectKey = false
        break
      case '}':
      case ']':
        open.pop()
        expectKey = false
        break
      case ',':
        expectKey = open.at(-1) !== undefined
        break
      case '"': {
        const end = endOfString(text, at)
        if (expectKey) {
          // Parsed, as "a" and "\u0061" are one key.
          const key = JSON.parse(text.slice(at, end)) as string
          const keys = open.at(-1)
          if (keys?.has(key)) return key
          keys?.add(key)
          expectKey = false
        }
        at = end - 1
        break
      }
    }
    at++
  }
  return undefined
}

/** Index after the closing quote of the string that begins at `start`. */
function endOfString(text: string, start: number): number {
  let at = start + 1
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at + 1
}
