import { expect, test } from 'vitest'
import { maxTrustedHeaderBytes } from '../../../src/chain/check-header.ts'
import { RawHeaders } from '../../../src/codec/generated/sync.ts'
import type { Frame } from '../../../src/network/streams/frames.ts'
import { readHeaders } from '../../../src/network/streams/headers.ts'
import { refusal, refusalFrame } from '../../../src/network/streams/refusal.ts'
import type { HeadersFrame } from '../../../src/network/types.ts'
import { chain } from '../support/nodes.ts'

const maxHeaderBytes = maxTrustedHeaderBytes(chain().genesis)
const bytes = (length: number): Frame => new Uint8Array(length).fill(7)
const some = (count: number, length = 10): Frame[] => Array.from({ length: count }, () => bytes(length))
/** 5 leaves have 2 peaks. */
const frame = (headers: number, peaks: Frame[] = []): Frame => RawHeaders.encode({ peaks, headers: some(headers) })

async function read(frames: readonly Frame[], count = 8, start = 5): Promise<HeadersFrame[]> {
  const got: HeadersFrame[] = []
  async function* source() {
    yield* frames
  }
  for await (const one of readHeaders(source(), { start, count, maxHeaderBytes }, 'peer')) got.push(one)
  return got
}

test('an answer is its frames, as views on each; a prefix is one too', async () => {
  const got = await read([frame(3, some(2, 32)), frame(4)])
  expect(got.map(({ peaks, headers }) => [peaks.length, headers.length])).toEqual([
    [2, 3],
    [0, 4]
  ])
  for (const { peaks, headers } of got) expect(new Set([...peaks, ...headers].map((b) => b.buffer)).size).toBe(1)
})

test.each<[what: string, code: string, frames: Frame[]]>([
  ['none at all', 'UNAVAILABLE', []],
  ['a frame of no headers', 'BAD_FRAME', [frame(0, some(2, 32))]],
  ['a later frame of no headers', 'BAD_FRAME', [frame(1, some(2, 32)), frame(0)]],
  ['no peaks', 'BAD_FRAME', [frame(1)]],
  ['too few peaks', 'BAD_FRAME', [frame(1, some(1, 32))]],
  ['too many peaks', 'BAD_FRAME', [frame(1, some(3, 32))]],
  ['a short peak', 'BAD_FRAME', [frame(1, some(2, 31))]],
  ['peaks again', 'BAD_FRAME', [frame(1, some(2, 32)), frame(1, some(2, 32))]],
  ['more headers than asked for', 'TOO_MUCH', [frame(9, some(2, 32))]],
  ['one more in a later frame', 'TOO_MUCH', [frame(8, some(2, 32)), frame(1)]],
  [
    'more bytes than they can have',
    'TOO_MUCH',
    [RawHeaders.encode({ peaks: some(2, 32), headers: some(2, 4 * maxHeaderBytes + 4096) })]
  ],
  ['no message', 'BAD_FRAME', [bytes(9)]],
  ['a refusal', 'RATE_LIMITED', [refusalFrame(refusal('RATE_LIMITED', 'later', 5)) as Frame]],
  ['a refusal after some', 'UNAVAILABLE', [frame(1, some(2, 32)), refusalFrame(refusal('UNAVAILABLE', '')) as Frame]]
])('%s: %s', async (_, code, frames) => {
  await expect(read(frames)).rejects.toMatchObject({ code })
})
