import { IncomingMessage } from 'node:http'
import { queryObjects } from 'node:v8'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Gathered } from '../../src/api/gathered.ts'
import { runs } from '../support/runs.ts'
import { until } from '../support/until.ts'
import { RawClient } from './support/raw-client.ts'
import { World } from './support/world.ts'

const PIECES = 20_000

describe('a body that comes in many pieces', () => {
  it('is held in blocks, and is the same in the end', async () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 40_000 }), { maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(pieces, async (all) => {
        const gathered = new Gathered()
        for (const piece of all) gathered.write(Buffer.from(piece))
        gathered.end()
        const blocks: Buffer[] = []
        for await (const block of gathered) blocks.push(block)
        expect(Buffer.compare(Buffer.concat(blocks), Buffer.concat(all))).toBe(0)
      }),
      runs(50)
    )
  })

  it('is no object for each byte that comes alone', async () => {
    const world = await World.open({ blocks: 1 })
    const client = await RawClient.open(world.url)
    const head = 'POST /v1/events HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-protobuf\r\n'
    client.send(`${head}transfer-encoding: chunked\r\n\r\n`)
    const before = queryObjects(Uint8Array, { format: 'count' })
    let got = 0
    const { push } = IncomingMessage.prototype
    IncomingMessage.prototype.push = function (chunk: Buffer | null, ...rest) {
      got += chunk?.byteLength ?? 0
      return push.call(this, chunk, ...rest)
    }
    onTestFinished(() => {
      IncomingMessage.prototype.push = push
    })
    client.send('1\r\n1\r\n'.repeat(PIECES))
    await until('read', () => got === PIECES)
    expect(queryObjects(Uint8Array, { format: 'count' }) - before).toBeLessThan(PIECES / 10)
    client.send('0\r\n\r\n')
    await until('the answer', () => client.received.includes('HTTP/1.1 4'))
    await world.close()
  })
})
