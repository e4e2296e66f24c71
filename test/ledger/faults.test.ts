import { cpSync, readdirSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { toHex } from '../../src/codec/bytes.ts'
import { hasCode } from '../../src/error.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { verifyHome } from '../../src/ledger/verify/verify.ts'
import { silentLog } from '../../src/log.ts'
import { applyAll } from '../support/chain-builder.ts'
import { chainInMemory } from '../support/chain-maker.ts'
import { Random } from '../support/random.ts'
import { tempDir } from '../support/temp-dir.ts'

const SPEC = { eventsPerBlock: 6, actors: 3, resources: 9, params: { snapshotInterval: 4 } }
const TUNING = { segmentEvents: 25, stateWork: 20 }
const BLOCKS = 12
const chain = chainInMemory(BLOCKS, SPEC)
const { genesis, blocks } = chain

async function openAt(path: string): Promise<Ledger> {
  return Ledger.open({ path, genesis, log: silentLog, tuning: TUNING })
}

/** The chain is whole up to its tip, and takes the rest. */
async function expectWhole(path: string, least: number): Promise<number> {
  const ledger = await openAt(path)
  const { height } = ledger.tip
  expect(height).toBeGreaterThanOrEqual(least)
  if (height > 0) expect(toHex(ledger.tip.hash)).toBe(toHex(blocks[height - 1]?.hash as Uint8Array))
  await ledger.close()
  expect((await verifyHome({ path, genesis })).fault).toBeUndefined()
  const again = await openAt(path)
  await applyAll(again, blocks)
  expect(again.tip.height).toBe(BLOCKS)
  await again.close()
  expect(await verifyHome({ path, genesis })).toMatchObject({ height: BLOCKS, fault: undefined })
  return height
}

test('whichever write fails, what was finalized stays and nothing half is left', async () => {
  for (let failing = 1; ; failing++) {
    const path = tempDir()
    let writes = 0
    const beforeWrite = () => {
      if (++writes === failing) throw new Error('no space left on device')
    }
    let finalized = 0
    let failed = false
    try {
      const ledger = await Ledger.open({ path, genesis, log: silentLog, tuning: { ...TUNING, beforeWrite } })
      ledger.on('finalized', () => finalized++)
      for (let at = 0; at < BLOCKS; at += 5) {
        try {
          await ledger.apply(blocks.slice(at, at + 5))
        } catch (error) {
          expect(hasCode(error, 'STORE_FAILED')).toBe(true)
          failed = true
          expect(ledger.tip.height).toBe(finalized)
          // It goes no further: what is in memory may be ahead of the disk.
          await expect(ledger.apply(blocks.slice(at))).rejects.toThrow('no space left')
          await expect(ledger.saveMempool(chain.maker.events(1))).rejects.toThrow('no space left')
          expect(ledger.tip.height).toBe(finalized)
          break
        }
      }
      await ledger.close()
    } catch (error) {
      // The first writes are the opening's.
      expect(hasCode(error, 'STORE_FAILED')).toBe(true)
      failed = true
    }
    expect(await expectWhole(path, finalized)).toBe(finalized)
    if (!failed) break
  }
})

test('a log that a power cut tore anywhere opens at the last whole batch', async () => {
  const home = tempDir()
  const ledger = await openAt(home)
  for (const block of blocks) await applyAll(ledger, [block])
  await ledger.saveMempool(chain.maker.events(3))
  // LevelDB has all of it in its log; nothing is closed in order here.
  const copies = tempDir()
  cpSync(home, join(copies, 'whole'), { recursive: true })
  await ledger.close()
  const [log] = readdirSync(join(copies, 'whole')).filter((name) => name.endsWith('.log'))
  const { size } = statSync(join(copies, 'whole', log as string))
  const random = new Random(Number(process.env.MOLOCH_SEED ?? 1))
  const heights = new Set<number>()
  for (let run = 0; run < 12; run++) {
    const path = join(copies, `torn-${run}`)
    cpSync(join(copies, 'whole'), path, { recursive: true })
    truncateSync(join(path, log as string), random.below(size))
    heights.add(await expectWhole(path, 0))
  }
  expect(heights.size).toBeGreaterThan(3)
})
