import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Shape } from '../../../src/codec/field-count.ts'
import { RawSnapshot } from '../../../src/codec/generated/snapshot.ts'
import {
  GetVotes,
  Goodbye,
  Hello,
  HelloAck,
  Proof,
  RawBlocks,
  RawHeaders,
  RawVotes,
  Status
} from '../../../src/codec/generated/sync.ts'
import { BLOCKS, GET_BLOCKS, readBlocks } from '../../../src/network/streams/blocks.ts'
import type { Frame } from '../../../src/network/streams/frames.ts'
import { GOODBYE, readGoodbye } from '../../../src/network/streams/goodbye.ts'
import { GET_HEADERS, HEADERS, readHeaders } from '../../../src/network/streams/headers.ts'
import { checkAck, checkHello, HELLO, HELLO_ACK } from '../../../src/network/streams/hello.ts'
import {
  MAX_SMALL_REQUEST_BYTES,
  MAX_STATUS_BYTES,
  MAX_VOTES_REQUEST_BYTES
} from '../../../src/network/streams/messages.ts'
import { GET_PROOF, PROOF_ANSWER, readProof } from '../../../src/network/streams/proof.ts'
import { GET_SNAPSHOT, readManifest, SNAPSHOT } from '../../../src/network/streams/snapshot.ts'
import { readStatus, STATUS } from '../../../src/network/streams/status.ts'
import { GET_VOTES, makeGetVotes, readVotes, serveVotes, VOTES } from '../../../src/network/streams/votes.ts'
import { empties, field } from '../support/rpcs.ts'

const WIRES: readonly { name: string; message: string; shape: Shape }[] = [
  { ...HELLO, message: 'Hello' },
  { ...HELLO_ACK, message: 'HelloAck' },
  { ...GOODBYE, message: 'Goodbye' },
  { ...STATUS, message: 'Status' },
  { ...GET_VOTES, message: 'GetVotes' },
  { ...VOTES, message: 'RawVotes' },
  { ...GET_BLOCKS, message: 'GetBlocks' },
  { ...BLOCKS, message: 'RawBlocks' },
  { ...GET_HEADERS, message: 'GetHeaders' },
  { ...HEADERS, message: 'RawHeaders' },
  { ...GET_PROOF, message: 'GetProof' },
  { ...PROOF_ANSWER, message: 'Proof' },
  { ...GET_SNAPSHOT, message: 'GetSnapshot' },
  { ...SNAPSHOT, message: 'RawSnapshot' }
]

const NOBODY = new Uint8Array(0)
const MEGABYTE = 1 << 20

async function* frames(frame: Uint8Array): AsyncGenerator<Frame> {
  yield frame as Frame
}

async function drain(answer: AsyncIterable<unknown> | Iterable<unknown>): Promise<void> {
  for await (const _ of answer);
}

const asker = {} as never
const header = { start: 1, count: 1024, maxHeaderBytes: MEGABYTE }
const serving = serveVotes(async () => RawVotes.decode(NOBODY), MEGABYTE)

/** What each kind of frame is read by, what would decode it, and the longest that comes to it. */
const READERS: Record<string, [{ decode(bytes: Uint8Array): object }, number, (frame: Uint8Array) => unknown]> = {
  hello: [Hello, MAX_SMALL_REQUEST_BYTES, (frame) => checkHello({} as never, NOBODY, frame)],
  'hello ack': [HelloAck, MAX_SMALL_REQUEST_BYTES, (frame) => checkAck({} as never, NOBODY, NOBODY, frame, 'p')],
  goodbye: [Goodbye, MAX_SMALL_REQUEST_BYTES, readGoodbye],
  status: [Status, MAX_STATUS_BYTES, (frame) => readStatus(frame, 'p')],
  'get votes': [GetVotes, MAX_VOTES_REQUEST_BYTES, (frame) => drain(serving(frame as Frame, asker))],
  votes: [RawVotes, MEGABYTE, (frame) => readVotes(frame, 'p')],
  blocks: [RawBlocks, MEGABYTE, (frame) => drain(readBlocks(frames(frame), { start: 1, count: 512 }, 'p'))],
  headers: [RawHeaders, MEGABYTE, (frame) => drain(readHeaders(frames(frame), header, 'p'))],
  proof: [Proof, MEGABYTE, (frame) => readProof(frame as Frame, { consistency: { from: 1, to: 2 } }, 'p')],
  manifest: [RawSnapshot, MEGABYTE, (frame) => readManifest(frames(frame), 'p')]
}

/** Frames that are as many objects as they have room for, flat and in a message that may be there more than once. */
const FRAMES: Record<string, (bytes: number) => Uint8Array> = {
  'empty fields': (bytes) => empties(1, bytes),
  'unknown fields': (bytes) => empties(12, bytes),
  'empty refusals': (bytes) => empties(15, bytes),
  'a refusal of many parts': (bytes) => field(15, empties(2, bytes - 8))
}

describe('a frame is counted before it is decoded', () => {
  afterEach(() => {
    vi.restoreAllMocks()
  })

  for (const [name, [codec, bytes, read]] of Object.entries(READERS)) {
    it(name, async () => {
      const decode = vi.spyOn(codec, 'decode')
      for (const [kind, make] of Object.entries(FRAMES)) {
        if (kind === 'a refusal of many parts' && !('refusal' in codec.decode(NOBODY))) continue
        const frame = make(bytes)
        expect(frame.byteLength).toBeLessThanOrEqual(bytes)
        const reading = (async () => read(frame))()
        await expect(reading, kind).rejects.toMatchObject({ code: 'BAD_FRAME' })
      }
      expect(decode.mock.calls.filter(([bytes]) => bytes.byteLength > 0)).toEqual([])
    })
  }

  it('and what an honest peer sends has fewer', async () => {
    const bitmap = new Uint8Array(16)
    const have = Array.from({ length: 1024 }, (_, round) => ({ round, type: 'PREVOTE', bitmap }) as never)
    const request = { height: 2 ** 53 - 1, round: 2 ** 32 - 1, blockHash: new Uint8Array(32), have }
    await drain(serving(makeGetVotes(request) as Frame, asker))
    const votes = Array.from({ length: 5000 }, () => new Uint8Array(100))
    const answer = { votes, proposal: NOBODY, block: NOBODY, finalized: NOBODY } as never
    expect(readVotes(RawVotes.encode(answer), 'p').votes).toHaveLength(5000)
    const blocks = Array.from({ length: 512 }, () => new Uint8Array(1))
    await drain(readBlocks(frames(RawBlocks.encode({ blocks })), { start: 1, count: 512 }, 'p'))
  })
})

/** Fields of each message of protos/, as a shape has them. */
function declared(): Map<string, Record<string, string>> {
  const text = ['sync', 'snapshot', 'proof', 'chain', 'event']
    .map((file) => readFileSync(new URL(`../../../protos/${file}.proto`, import.meta.url), 'utf8'))
    .join('\n')
  const enums = new Set([...text.matchAll(/^enum (\w+)/gm)].map(([, name]) => name))
  const kind = (type = ''): string => {
    if (type === 'uint64') return 'u64'
    if (type === 'uint32' || type === 'bool' || enums.has(type)) return 'u32'
    return type === 'bytes' || type === 'string' ? 'bytes' : type
  }
  return new Map(
    [...text.matchAll(/^message (\w+) \{\n(.*?)^\}/gms)].map(([, name = '', body = '']) => [
      name,
      Object.fromEntries(
        [...body.matchAll(/^ +(?:repeated |optional )?(\w+) \w+ = (\d+)/gm)].map(([, type, number]) => [
          number,
          kind(type)
        ])
      )
    ])
  )
}

describe('what is counted of a message', () => {
  const messages = declared()

  function compare(name: string, shape: Shape): void {
    const fields = messages.get(name) ?? {}
    expect([name, Object.keys(shape)]).toEqual([name, Object.keys(fields)])
    for (const [number, kind] of Object.entries(shape)) {
      const type = fields[number] as string
      if (typeof kind === 'object') compare(type, kind)
      // Messages that are kept as they came are bytes here, as they are in their raw forms.
      else expect([name, number, messages.has(type) ? 'bytes' : type]).toEqual([name, number, kind])
    }
  }

  for (const { name, message, shape } of WIRES) it(`${name} is what its proto has`, () => compare(message, shape))
})
