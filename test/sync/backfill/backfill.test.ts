import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import type { Ledger } from '../../../src/ledger/ledger.ts'
import { verifyHome } from '../../../src/ledger/verify/verify.ts'
import { silentLog } from '../../../src/log.ts'
import { Backfill, type BackfillPorts } from '../../../src/sync/backfill/backfill.ts'
import type { Fetch } from '../../../src/sync/types.ts'
import { until } from '../../network/support/hosts.ts'
import { Random } from '../../support/random.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { trustedHeaders } from '../../support/trusted-headers.ts'
import { contentHash } from '../../support/warped.ts'
import { BASE, checkerOf, EVENTS, type Fixture, fixture, openLedger, TIP } from './support.ts'

let made: Fixture
let headers: Uint8Array[]

beforeAll(async () => {
  made = await fixture()
  headers = trustedHeaders(made.chain)
})

afterAll(() => made.remove())

/** Honest answers, four frames at a time; `served` counts how often each height was sent. */
class Source {
  readonly served = new Map<number, number>()
  readonly asked: string[] = []
  frames = 0
  readonly fetch: Fetch = (peer, range, signal) => this.#answer(peer, range, signal)
  readonly headers: Fetch = async function* (_, { start, count }) {
    yield headers.slice(start - 1, start - 1 + count)
  }

  async *#answer(peer: string, { start, count }: { start: number; count: number }, signal: AbortSignal) {
    this.asked.push(peer)
    for (let at = start; at < start + count && !signal.aborted; at += 4) {
      const end = Math.min(at + 4, start + count)
      this.frames++
      // The rest of a piece takes a moment: there is time to stop in.
      await new Promise((resolve) => setTimeout(resolve, 5))
      for (let height = at; height < end; height++) this.served.set(height, (this.served.get(height) ?? 0) + 1)
      yield made.chain.frames.slice(at - 1, end - 1).map((frame) => frame.slice())
    }
  }
}

async function opened(path = join(tempDir(), 'chain'), fresh = true): Promise<{ path: string; ledger: Ledger }> {
  if (fresh) cpSync(made.warped, path, { recursive: true })
  return { path, ledger: await openLedger(path, made.chain) }
}

function backfillOf(ledger: Ledger, source: Source, ports: Partial<BackfillPorts> = {}): Backfill {
  const backfill = new Backfill(
    {
      genesis: made.chain.genesis,
      history: ledger.history,
      checker: checkerOf(made.chain),
      blocks: source.fetch,
      headers: source.headers,
      headerAt: (height) => ledger.headerAt(height),
      busy: () => false,
      log: silentLog,
      ...ports
    },
    { pieceHeights: 16 }
  )
  onTestFinished(() => backfill.stop())
  return backfill
}

const all = { id: 'a', height: TIP, earliest: 1 }

test('stopped at any moment it goes on where it was, and fetches nothing twice but what was in flight', async () => {
  const source = new Source()
  const random = new Random(3)
  const { path, ledger: first } = await opened()
  let ledger = first
  let stops = 0
  while (ledger.history.base !== undefined && stops < 100) {
    const held = new Set(heightsHeld(ledger))
    const before = new Map(source.served)
    const backfill = backfillOf(ledger, source)
    backfill.setPeer(all)
    backfill.setPeer({ ...all, id: 'b' })
    backfill.start()
    const stop = source.frames + 1 + random.below(8)
    const { earliest } = ledger.history
    const early = random.below(2) === 0
    const isTime = (): boolean => source.frames >= stop || (early && ledger.history.earliest < earliest)
    await until('some answers', () => isTime() || ledger.history.base === undefined)
    await backfill.stop()
    // What was on disk when it began was not asked for.
    for (const height of held) expect(source.served.get(height)).toBe(before.get(height))
    await ledger.close()
    ledger = (await opened(path, false)).ledger
    stops++
  }
  expect(stops).toBeGreaterThan(1)
  expect(ledger.earliestHeight).toBe(1)
  await ledger.close()
  expect(await verifyHome({ path, genesis: made.chain.genesis })).toEqual({
    height: TIP,
    events: EVENTS * TIP,
    fault: undefined
  })
  expect(await contentHash(path, made.chain.genesis)).toBe(await contentHash(made.whole, made.chain.genesis))
})

function* heightsHeld({ history }: Ledger): Generator<number> {
  for (const { from, to } of history.held) for (let height = from; height <= to; height++) yield height
  for (let height = history.earliest; height < BASE; height++) yield height
}

test('nothing is asked for while something else must not be held up', async () => {
  const { ledger } = await opened()
  onTestFinished(() => ledger.close())
  const source = new Source()
  let busy = true
  const backfill = backfillOf(ledger, source, { busy: () => busy })
  backfill.setPeer(all)
  backfill.start()
  expect(backfill.state()).toMatchObject({ status: 'paused', requests: 0, missing: BASE - 1 })
  const asked = source.asked.length
  await until('a paused backfill', () => backfill.state().status === 'paused')
  expect(source.asked.length).toBe(asked)
  busy = false
  await until('the end', () => backfill.state().status === 'done')
  expect(ledger.earliestHeight).toBe(1)
})

test('a database that takes no block ends it, and says so', async () => {
  const { ledger } = await opened()
  const backfill = backfillOf(ledger, new Source())
  await ledger.close()
  const faults: string[] = []
  backfill.on('fault', ({ code }) => faults.push(code))
  backfill.setPeer(all)
  backfill.start()
  await until('a fault', () => backfill.state().status === 'stopped')
  expect(faults).toEqual(['LEDGER_FAILED'])
  expect(backfill.state().fault?.message).toMatch(/^history from block \d+ could not be written: /)
})

test('history that does not come to the state of the checkpoint is a fault that is said', async () => {
  const { ledger } = await opened()
  onTestFinished(() => ledger.close())
  const source = new Source()
  const backfill = backfillOf(ledger, source, {
    headerAt: async (height) => {
      const found = await ledger.headerAt(height)
      return found && { header: { ...found.header, stateRoot: new Uint8Array(32) } }
    }
  })
  backfill.setPeer(all)
  backfill.start()
  await until('the fault', () => backfill.state().fault !== undefined)
  expect(backfill.state()).toMatchObject({
    status: 'stopped',
    earliest: 1,
    base: BASE,
    fault: { code: 'HISTORY_MISMATCH' }
  })
  expect(backfill.state().fault?.message).toContain(`header ${BASE} has ${'0'.repeat(64)}`)
})

test('a checker that fails is tried again, and nobody is blamed', async () => {
  const { ledger } = await opened()
  onTestFinished(() => ledger.close())
  const good = checkerOf(made.chain)
  let failures = 2
  const checker = {
    ...good,
    checkHistory: (frames: readonly Uint8Array[]) =>
      failures-- > 0 ? Promise.reject(new Error('died')) : good.checkHistory(frames)
  }
  const backfill = backfillOf(ledger, new Source(), { checker })
  const penalised: string[] = []
  backfill.on('penalise', (peer) => penalised.push(peer))
  backfill.setPeer(all)
  backfill.start()
  await until('the end', () => backfill.state().status === 'done')
  expect(penalised).toEqual([])
  expect(backfill.state().fault).toBeUndefined()
})

test('with nothing to fill in there is nothing to do', async () => {
  const path = join(tempDir(), 'chain')
  cpSync(made.whole, path, { recursive: true })
  const ledger = await openLedger(path, made.chain)
  onTestFinished(() => ledger.close())
  const source = new Source()
  const backfill = backfillOf(ledger, source)
  backfill.setPeer(all)
  backfill.start()
  expect(backfill.state()).toMatchObject({ status: 'done', earliest: 1, base: undefined, missing: 0 })
  expect(source.asked).toEqual([])
})
