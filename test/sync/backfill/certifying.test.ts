import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { CheckedBlock } from '../../../src/chain/check-block.ts'
import { MolochError } from '../../../src/error.ts'
import type { Ledger } from '../../../src/ledger/ledger.ts'
import { silentLog } from '../../../src/log.ts'
import { Backfill, type BackfillOptions, type BackfillPorts } from '../../../src/sync/backfill/backfill.ts'
import { until } from '../../network/support/hosts.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { remade, trustedHeaders } from '../../support/trusted-headers.ts'
import { type Source, Sources } from '../support/sources.ts'
import { BASE, checkerOf, type Fixture, fixture, openLedger, TIP } from './support.ts'

/** The topmost block whose certificate is bad: some above it are certified before it is found. */
const BAD_TOP = BASE - 5

let made: Fixture
let headers: Uint8Array[]

beforeAll(async () => {
  made = await fixture()
  headers = trustedHeaders(made.chain)
})

afterAll(() => made.remove())

/** A ledger that holds all history, with a bad commit on every block up to BAD_TOP. */
async function badlyCertified(): Promise<Ledger> {
  const path = join(tempDir(), 'chain')
  cpSync(made.warped, path, { recursive: true })
  const ledger = await openLedger(path, made.chain)
  onTestFinished(() => ledger.close())
  const frames = made.chain.frames.slice(0, BASE - 1).map((frame, i) => (i < BAD_TOP ? flipped(frame, -1) : frame))
  const checked = await checkerOf(made.chain).checkHistory(frames)
  const blocks = checked.map((result) => (result as { block: CheckedBlock }).block)
  expect(await ledger.history.put(1, blocks)).toEqual({ stored: BASE - 1, failure: undefined })
  return ledger
}

function flipped(frame: Uint8Array, at: number): Uint8Array {
  const place = frame.length + at
  return frame.with(place, (frame[place] as number) ^ 1)
}

const honest: Source = async function* ({ start, count }) {
  for (let at = start; at < start + count; at += 16) yield headers.slice(at - 1, Math.min(at + 15, start - 1 + count))
}

function refusing(code: string, details = {}): Source {
  return () => {
    throw new MolochError(code, 'no answer', details)
  }
}

interface Running {
  readonly backfill: Backfill
  readonly sources: Sources
  readonly penalised: [peer: string, code: string][]
  readonly moved: number[]
}

/** Peers by their names, which are asked for certificates in this order. */
function certify(
  ledger: Ledger,
  peers: Readonly<Record<string, Source>>,
  ports: Partial<BackfillPorts> = {},
  options: BackfillOptions = {}
): Running {
  const sources = new Sources(peers)
  const backfill = new Backfill(
    {
      genesis: made.chain.genesis,
      history: ledger.history,
      checker: checkerOf(made.chain),
      blocks: () => {
        throw new Error('every block is held')
      },
      headers: sources.fetch,
      headerAt: (height) => ledger.headerAt(height),
      busy: () => false,
      log: silentLog,
      ...ports
    },
    options
  )
  onTestFinished(() => backfill.stop())
  const [penalised, moved]: [[string, string][], number[]] = [[], []]
  backfill.on('penalise', (peer, { code }) => penalised.push([peer, code]))
  backfill.on('moved', (earliest) => moved.push(earliest))
  for (const id of Object.keys(peers)) backfill.setPeer({ id, height: TIP, earliest: 1 })
  backfill.start()
  return { backfill, sources, penalised, moved }
}

describe('certificates that are asked for again', () => {
  it('replace the bad ones, also from an answer that breaks off', async () => {
    const ledger = await badlyCertified()
    const half: Source = async function* (request, signal) {
      for await (const frames of honest(request, signal)) {
        yield frames
        throw new MolochError('PEER_TIMEOUT', 'no more bytes came')
      }
    }
    const { backfill, penalised } = certify(ledger, { half, honest })
    await until('the end', () => backfill.state().status === 'done')
    expect(ledger.earliestHeight).toBe(1)
    expect(backfill.state().fault).toBeUndefined()
    expect(new Set(penalised.map(String))).toEqual(new Set(['half,PEER_TIMEOUT']))
  })

  it('are not asked of a peer that wants to be let alone, or that failed a moment ago', async () => {
    const ledger = await badlyCertified()
    const limited = refusing('RATE_LIMITED', { retryAfterMs: 60_000 })
    const lost = refusing('PEER_TIMEOUT')
    // A clock that stands: no pause ends.
    const { backfill, sources, penalised } = certify(ledger, { limited, lost, honest }, {}, { now: () => 0 })
    await until('the end', () => backfill.state().status === 'done')
    const asked = sources.requests.map(({ peer }) => peer)
    expect(asked).toEqual(['limited', 'lost', 'honest', 'honest', 'honest'])
    expect(penalised).toEqual([['lost', 'PEER_TIMEOUT']])
  })

  it('that the ledger can not write are its failure, and nobody is blamed', async () => {
    const ledger = await badlyCertified()
    const peer: Source = async function* (request, signal) {
      await ledger.close()
      yield* honest(request, signal)
    }
    const { backfill, penalised, moved } = certify(ledger, { peer })
    await until('the fault', () => backfill.state().fault !== undefined)
    expect(backfill.state()).toMatchObject({ status: 'stopped', fault: { code: 'LEDGER_FAILED' } })
    expect(backfill.state().fault?.message).toBe('backfill failed: the ledger is closed')
    expect(penalised).toEqual([])
    // What the round had certified before is said all the same.
    expect(moved).toEqual([BAD_TOP + 1])
  })

  it('that the checker fails on are checked again, and nobody is blamed', async () => {
    const ledger = await badlyCertified()
    const good = checkerOf(made.chain)
    let answers = 0
    let failed = 0
    const checker = {
      ...good,
      checkHeaders: async (frames: readonly Uint8Array[]) => {
        if (answers > 0 && failed++ < 2) throw new MolochError('VERIFY_CRASHED', 'a verify thread died')
        return good.checkHeaders(frames)
      }
    }
    const peer: Source = async function* (request, signal) {
      answers++
      yield* honest(request, signal)
    }
    const { backfill, penalised } = certify(ledger, { peer }, { checker })
    const faults: string[] = []
    backfill.on('fault', ({ code }) => faults.push(code))
    await until('the end', () => backfill.state().status === 'done')
    expect(faults).toEqual(['VERIFY_FAILED'])
    expect(backfill.state().fault).toBeUndefined()
    expect(penalised).toEqual([])
  })

  it('that one answer makes the checker fail on are asked of others', async () => {
    const ledger = await badlyCertified()
    const good = checkerOf(made.chain)
    const poisonous = new Uint8Array([6, 6, 6])
    const checker = {
      ...good,
      checkHeaders: async (frames: readonly Uint8Array[]) => {
        if (frames.includes(poisonous)) throw new TypeError('a bug of ours')
        return good.checkHeaders(frames)
      }
    }
    const poison: Source = async function* () {
      yield [poisonous]
    }
    const { backfill, penalised } = certify(ledger, { poison, honest }, { checker })
    await until('the end', () => backfill.state().status === 'done')
    expect(backfill.state().fault).toBeUndefined()
    expect(penalised).toEqual([])
  })

  it('of another block than the checkpoint proves are taken from nobody, and nobody is blamed for showing them', async () => {
    const ledger = await badlyCertified()
    const rivals = headers.map((header) =>
      remade(made.chain.maker, header, { header: { eventsRoot: new Uint8Array(32) } })
    )
    const witness: Source = async function* ({ start, count }) {
      yield rivals.slice(start - 1, start - 1 + count)
    }
    const said: string[] = []
    const log = { ...silentLog, error: (_: object, message: string) => said.push(message) }
    const { backfill, sources, penalised } = certify(ledger, { witness }, { log })
    await until('it is asked again', () => sources.requests.length > 1)
    expect(backfill.state()).toMatchObject({ earliest: BAD_TOP + 1, fault: { code: 'NO_CERTIFICATE' } })
    expect(said[0]).toMatch(/^another block is certified at height \d+ than the checkpoint proves: [0-9a-f]{64}$/)
    expect(penalised).toEqual([])
  })
})

describe('the check of the state', () => {
  it('is made again when the checker fails, and then nothing is wrong any more', async () => {
    const ledger = await badlyCertified()
    const good = checkerOf(made.chain)
    let failed = 0
    const checker = {
      ...good,
      checkHistory: async (frames: readonly Uint8Array[]) => {
        if (failed++ < 1) throw new MolochError('VERIFY_CRASHED', 'a verify thread died')
        return good.checkHistory(frames)
      }
    }
    const { backfill } = certify(ledger, { honest }, { checker })
    await until('the end', () => backfill.state().status === 'done')
    expect(failed).toBeGreaterThan(1)
    expect(backfill.state().fault).toBeUndefined()
  })
})
