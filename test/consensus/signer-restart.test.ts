/** A validator that dies at each step of a height, before and after each write, and comes back with other wishes. */
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { toHex } from '../../src/codec/bytes.ts'
import { VoteType } from '../../src/codec/generated/chain.ts'
import { MarkFile } from '../../src/consensus/mark-file.ts'
import { Signer } from '../../src/consensus/signer.ts'
import { openSignerStore, type SignerStore } from '../../src/consensus/signer-store.ts'
import { keyPairFromSeed } from '../../src/crypto/ed25519.ts'
import { hasCode } from '../../src/error.ts'
import { tempDir } from '../support/temp-dir.ts'
import { writeFreshMark } from './support/marks.ts'
import { hashOf, prevote } from './support/messages.ts'

const key = keyPairFromSeed(new Uint8Array(32).fill(3))
const genesisHash = new Uint8Array(32).fill(9)

/** What a validator signs at two heights; another salt wants other blocks. */
const plan = (salt: string): ((signer: Signer) => Promise<[slot: string, value: string]>)[] =>
  [7, 8].flatMap((height) =>
    [0, 1].flatMap((round) => {
      const hash = hashOf(`${salt} ${height} ${round}`)
      const blockHash = new Uint8Array(Buffer.from(hash, 'hex'))
      const block = new TextEncoder().encode(`block ${hash}`)
      const prevotes = [1, 2, 3].map((validator) => prevote(round, validator, hash).vote)
      const keep = { hash, round, prevotes, block }
      return [
        async (signer: Signer) => {
          const { signature } = await signer.signProposal({ height, round, blockHash }, block)
          return [`proposal ${height}/${round}`, toHex(signature)]
        },
        async (signer: Signer) => {
          const { signature } = await signer.signVote({ type: VoteType.PREVOTE, height, round, blockHash })
          return [`prevote ${height}/${round}`, toHex(signature)]
        },
        async (signer: Signer) => {
          const { signature } = await signer.signVote({ type: VoteType.PRECOMMIT, height, round, blockHash }, keep)
          // A precommit is out only when its lock is on disk; a later one may have come before this life.
          expect(signer.restore(height)?.locked?.round).toBeGreaterThanOrEqual(round)
          return [`precommit ${height}/${round}`, toHex(signature)]
        }
      ]
    })
  )

/** One life: all of a plan that is not refused, until the store gives way. */
async function live(
  path: string,
  salt: string,
  crash?: { atWrite: number; before: boolean }
): Promise<[string, string][]> {
  const markPath = `${path}.mark`
  writeFreshMark(markPath, key.publicKey, genesisHash)
  const level = await openSignerStore(path)
  const mark = new MarkFile(markPath)
  let writes = -1
  const store: SignerStore = {
    entries: () => level.entries(),
    close: () => level.close(),
    async write(batch) {
      writes++
      if (crash?.atWrite !== writes) return level.write(batch)
      if (!crash.before) await level.write(batch)
      throw new Error('the power is gone')
    }
  }
  const signed: [string, string][] = []
  try {
    const signer = await Signer.over(store, mark, { path, markPath, key, genesisHash })
    expect(signer.doubt ?? signer.settledDoubt).toBeUndefined()
    for (const step of plan(salt)) {
      try {
        signed.push(await step(signer))
      } catch (error) {
        if (!hasCode(error, 'SIGNER_CONFLICT')) throw error
      }
    }
  } catch (error) {
    if (crash === undefined) throw error
  }
  await mark.close()
  await level.close()
  return signed
}

async function heightOf(path: string): Promise<number> {
  const signer = await Signer.open({ path, markPath: `${path}.mark`, key, genesisHash })
  await signer.close()
  return signer.lowest
}

const WRITES = 1 + plan('').length

describe.each(Array.from({ length: WRITES }, (_, atWrite) => atWrite))('dying at write %i', (atWrite) => {
  it.each([true, false])(
    'before it is on disk: %s, it never signs two different things for one slot',
    async (before) => {
      const path = join(tempDir(), 'signer')
      const lives = [
        await live(path, 'first wish', { atWrite, before }),
        await live(path, 'second wish', { atWrite: 2, before: !before }),
        await live(path, 'first wish')
      ]
      const values = new Map<string, Set<string>>()
      for (const [slot, value] of lives.flat()) values.set(slot, (values.get(slot) ?? new Set()).add(value))
      for (const [slot, of] of values) expect(of.size, slot).toBe(1)
    }
  )

  it.each([true, false])('before it is on disk: %s, it signs the same again and goes on', async (before) => {
    const path = join(tempDir(), 'signer')
    const first = await live(path, 'wish', { atWrite, before })
    const mark = await heightOf(path)
    const second = new Map(await live(path, 'wish'))
    for (const [slot, value] of first) if (slot.includes(` ${mark}/`)) expect(second.get(slot), slot).toBe(value)
    expect(second.has('precommit 8/1')).toBe(true)
  })
})
