import { expect, test } from 'vitest'
import { liveLine } from '../../src/cli/live-line.ts'

test('a live line is written over itself, fits the terminal and is gone at the end', () => {
  const written: string[] = []
  const show = liveLine({ columns: 10, write: (text) => written.push(text) })
  show('12s (50%) 5/10')
  show('1s')
  show(undefined)
  expect(written).toEqual(['\u001b[2K12s (50%)\r', '\u001b[2K1s\r', '\u001b[2K\r'])
})
