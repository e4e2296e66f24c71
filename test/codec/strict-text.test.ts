import fc from 'fast-check'
import { expect, test } from 'vitest'
import { strictText, type TextLine, textLines } from '../../src/codec/strict-text.ts'
import { runs } from '../support/runs.ts'

async function linesOf(parts: Iterable<Uint8Array | string>): Promise<TextLine[]> {
  const lines: TextLine[] = []
  async function* input() {
    yield* parts
  }
  for await (const line of textLines(input())) lines.push(line)
  return lines
}

/** Cut anywhere, also within a character. */
function cut(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const parts: Uint8Array[] = []
  let at = 0
  for (const size of sizes) {
    parts.push(bytes.subarray(at, at + size))
    at += size
  }
  return [...parts, bytes.subarray(at)]
}

const unicode = fc.string({ unit: 'binary' }).filter((text) => !/^\ufeff|[\r\n]|\p{Surrogate}/u.test(text))

test('text comes as it is, whole and in lines, however it is cut', async () => {
  const sizes = fc.array(fc.nat(7), { maxLength: 8 })
  const ends = fc.constantFrom('\n', '\r\n')
  await fc.assert(
    fc.asyncProperty(fc.array(unicode), ends, fc.boolean(), sizes, async (lines, end, ended, sizes) => {
      const text = lines.join(end) + (ended ? end : '')
      expect(strictText(Buffer.from(text))).toBe(text)
      const expected = ended ? lines : lines.at(-1) === '' ? lines.slice(0, -1) : lines
      const found = await linesOf(cut(Buffer.from(text), sizes))
      if (lines.length > 0) expect(found.map((line) => line.text)).toEqual(expected)
      expect(found.map((line) => line.number)).toEqual(found.map((_, index) => index + 1))
    }),
    runs(200)
  )
})

const LATIN1 = Buffer.from('caf\xe9', 'latin1')
const cases: [string, Uint8Array, string][] = [
  ['Latin-1', Buffer.concat([Buffer.from('a\n\nb\n'), LATIN1, Buffer.from('\nc')]), 'line 4 is not UTF-8'],
  ['half a character', Buffer.from('né').subarray(0, 2), 'line 1 is not UTF-8'],
  ['a surrogate', Buffer.from('eda080', 'hex'), 'line 1 is not UTF-8'],
  ['a BOM', Buffer.from('\ufeff{}'), 'line 1 begins with a byte order mark (BOM)'],
  ['UTF-16', Buffer.from('\ufeff{}', 'utf16le'), 'line 1 begins as UTF-16 does'],
  ['gzipped', Buffer.from('1f8b0800', 'hex'), 'line 1 begins as a gzipped file does']
]
test.each(cases)('%s is refused, with its line', async (_, bytes, message) => {
  expect(() => strictText(bytes)).toThrow(message)
  await expect(linesOf(cut(bytes, []))).rejects.toMatchObject({
    code: 'BAD_TEXT',
    message: expect.stringContaining(message)
  })
})

test('a BOM within the text is a character like others', async () => {
  const text = 'a\n\ufeffb'
  expect(strictText(Buffer.from(text))).toBe(text)
  expect((await linesOf([text])).map((line) => line.text)).toEqual(['a', '\ufeffb'])
})

test('a line that never ends is given up', async () => {
  const part = Buffer.alloc(1 << 20, 'x')
  let given = 0
  function* endless() {
    for (;;) {
      given++
      yield part
    }
  }
  await expect(linesOf(endless())).rejects.toThrow('line 1 is longer than 4194304 bytes')
  expect(given).toBe(5)
})
