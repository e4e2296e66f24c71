import { expect, test } from 'vitest'
import { World } from '../api/support/world.ts'
import { moloch } from './support/run.ts'

test('a listing that comes to blocks that are not held shows what it has, and fails, also for programs', async () => {
  const { url, ledger } = await World.open({ spec: { eventsPerBlock: 3 }, blocks: 10, base: 8 })
  const env = { MOLOCH_URL: url }
  const failed = { code: 1, err: expect.stringMatching(/^moloch: .*this node holds blocks from 8 up$/) }
  // Three blocks, in more than one page of the listing.
  const list = ['event', 'list', '--newest']
  const people = await moloch(list, { env })
  expect(people).toMatchObject(failed)
  expect(people.out.split('\n')).toHaveLength(1 + 9)
  const programs = await moloch([...list, '--json'], { env })
  expect(programs).toMatchObject(failed)
  const { events, next_cursor } = JSON.parse(programs.out)
  expect(events.map(({ height }: { height: number }) => height)).toEqual([10, 10, 10, 9, 9, 9, 8, 8, 8])
  expect(next_cursor).not.toBeNull()
  expect(ledger.earliestHeight).toBe(8)
  expect(await moloch(['event', 'list', '--from', '8', '--json'], { env })).toMatchObject({ code: 0, err: '' })
})
