/**
 * What `JSON.parse` does not tell of a text: keys that are there twice (it keeps the last), and how a value was written (of
 * 9007199254740993 it makes another number, of 1e400 none).
 */

/** A brace, bracket, comma, colon, string, number or word, as `text.slice(start, end)`. */
interface Token {
  readonly start: number
  readonly end: number
}

/** @param text valid JSON (`JSON.parse` took it) */
function* tokens(text: string): Generator<Token> {
  for (let at = 0; at < text.length; ) {
    const start = at
    const character = text[at] as string
    if (character === '"') at = endOfString(text, at)
    else if ('{}[],:'.includes(character)) at++
    else if (' \t\n\r'.includes(character)) {
      at++
      continue
    } else while (at < text.length && !' \t\n\r,]}'.includes(text[at] as string)) at++
    yield { start, end: at }
  }
}

/** Index after the closing quote of the string that begins at `start`. */
function endOfString(text: string, start: number): number {
  let at = start + 1
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at + 1
}

/**
 * The first key that an object of `text` has twice; undefined if there is none.
 * @param text valid JSON
 */
export function duplicateKey(text: string): string | undefined {
  // One entry for each open bracket: the keys seen so far, or undefined in an array.
  const open: (Set<string> | undefined)[] = []
  let expectKey = false
  for (const { start, end } of tokens(text)) {
    const character = text[start]
    if (character === '{') open.push(new Set())
    else if (character === '[') open.push(undefined)
    else if (character === '}' || character === ']') open.pop()
    else if (character === '"' && expectKey) {
      // Parsed, as "a" and "\u0061" are one key.
      const key = JSON.parse(text.slice(start, end)) as string
      const keys = open.at(-1)
      if (keys?.has(key)) return key
      keys?.add(key)
    }
    expectKey = character === '{' || (character === ',' && open.at(-1) !== undefined)
  }
  return undefined
}

/**
 * The members of the object that `text` is: each key, and its value as it is written.
 * @param text valid JSON, an object without a key twice
 */
export function membersOf(text: string): Map<string, string> {
  const members = new Map<string, string>()
  let depth = 0
  let key: string | undefined
  let from: number | undefined
  let to = 0
  for (const { start, end } of tokens(text)) {
    const character = text[start] as string
    if ((character === ',' && depth === 1) || (character === '}' && depth === 1)) {
      if (key !== undefined) members.set(key, text.slice(from, to))
      key = undefined
      from = undefined
    } else if (depth === 1 && key === undefined) {
      key = JSON.parse(text.slice(start, end)) as string
    } else if (depth >= 1 && !(depth === 1 && character === ':')) {
      from ??= start
      to = end
    }
    if (character === '{' || character === '[') depth++
    else if (character === '}' || character === ']') depth--
  }
  return members
}

/** Numbers that every reader takes for the same: digits, no sign, point or exponent, and no leading zero. */
const WHOLE = /^(0|[1-9]\d*)$/

/**
 * The first number of `text` that is not written as a whole number, as it is written, and the last key before it; undefined
 * if there is none.
 * @param text valid JSON
 */
export function oddNumber(text: string): { readonly key: string | undefined; readonly number: string } | undefined {
  let key: string | undefined
  let before: Token | undefined
  for (const token of tokens(text)) {
    const written = text.slice(token.start, token.end)
    if (written === ':' && before !== undefined) key = JSON.parse(text.slice(before.start, before.end)) as string
    if (/^[-\d]/.test(written) && !WHOLE.test(written)) return { key, number: written }
    before = token
  }
  return undefined
}
