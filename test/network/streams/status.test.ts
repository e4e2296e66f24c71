import { describe, expect, it } from 'vitest'
import { Status } from '../../../src/codec/generated/sync.ts'
import { makeStatus, readStatus } from '../../../src/network/streams/status.ts'
import { ChainPorts } from '../support/nodes.ts'

const shown = (height: number): Status => Status.decode(makeStatus(new ChainPorts(height).head(), 3, 1_700_000_000_000))
const read = (status: Status): Status => readStatus(Status.encode(status), 'peer')

describe('a Status', () => {
  it.each([0, 4])('of height %d is read as it was made', (height) => {
    expect(read(shown(height))).toEqual(shown(height))
  })

  it('need not show block 0, which follows from the genesis', () => {
    const { head: _, ...without } = shown(0)
    expect(read(without)).toEqual(without)
  })

  it.each([
    ['no header of its head', () => ({ ...shown(4), head: undefined })],
    ["another height's header", () => ({ ...shown(4), head: shown(3).head })],
    ["a block's header at height 0", () => ({ ...shown(0), head: shown(3).head })],
    ['a hash of 31 bytes', () => ({ ...shown(4), headHash: new Uint8Array(31) })]
  ])('with %s is malformed', (_, status) => {
    expect(() => read(status() as Status)).toThrow(expect.objectContaining({ code: 'BAD_FRAME' }))
  })
})
