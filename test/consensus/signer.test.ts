import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { ClassicLevel } from 'classic-level'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { proposalMessage, voteMessage } from '../../src/chain/domain.ts'
import { toHex } from '../../src/codec/bytes.ts'
import { type Vote, VoteType } from '../../src/codec/generated/chain.ts'
import { Signer } from '../../src/consensus/signer.ts'
import type { KeptPledge } from '../../src/consensus/signer-log.ts'
import { freshMark } from '../../src/consensus/signer-mark.ts'
import { openSignerStore } from '../../src/consensus/signer-store.ts'
import { keyPairFromSeed, verify } from '../../src/crypto/ed25519.ts'
import { tempDir } from '../support/temp-dir.ts'
import { waitFor } from '../support/until.ts'
import { MemoryMark, writeFreshMark } from './support/marks.ts'
import { A, B, hashOf, prevote } from './support/messages.ts'

const key = keyPairFromSeed(new Uint8Array(32).fill(3))
const genesisHash = new Uint8Array(32).fill(9)
const bytes = (hash: string): Uint8Array => new Uint8Array(Buffer.from(hash, 'hex'))
const at = (type: VoteType, round: number, hash: string, height = 7) => ({
  type,
  height,
  round,
  blockHash: bytes(hash)
})
const { PREVOTE, PRECOMMIT } = VoteType
const keep = (round: number, hash: string, block = 'the block'): KeptPledge => ({
  hash,
  round,
  prevotes: [1, 2, 3].map((validator) => prevote(round, validator, hash).vote),
  block: new TextEncoder().encode(block)
})

/** A log and its mark; without either they are made. */
async function open(path: string, more: Partial<Parameters<typeof Signer.open>[0]> = {}): Promise<Signer> {
  const markPath = `${path}.mark`
  if (!existsSync(path)) writeFreshMark(markPath, key.publicKey, genesisHash)
  const signer = await Signer.open({ path, markPath, key, genesisHash, ...more })
  onTestFinished(() => signer.close())
  return signer
}

const fresh = (): Promise<Signer> => open(join(tempDir(), 'signer'))

describe('what is signed', () => {
  it('votes and proposals verify', async () => {
    const signer = await fresh()
    const vote = await signer.signVote(at(PREVOTE, 0, A))
    expect(verify(key.publicKey, voteMessage(genesisHash, vote), vote.signature)).toBe(true)
    const slot = { height: 7, round: 1, validRound: 0, blockHash: bytes(A) }
    const proposal = await signer.signProposal(slot, new Uint8Array(5))
    expect(verify(key.publicKey, proposalMessage(genesisHash, proposal), proposal.signature)).toBe(true)
  })

  it('the same request gets the same signature back', async () => {
    const signer = await fresh()
    const vote = await signer.signVote(at(PREVOTE, 0, A))
    expect(await signer.signVote(at(PREVOTE, 0, A))).toEqual(vote)
    const slot = { height: 7, round: 1, blockHash: bytes(B) }
    const proposal = await signer.signProposal(slot, new Uint8Array(5))
    await signer.signVote(at(PREVOTE, 1, B))
    expect(await signer.signProposal(slot, new Uint8Array(5))).toEqual(proposal)
    expect(await signer.signVote(at(PREVOTE, 0, A))).toEqual(vote)
  })
})

describe('what is refused', () => {
  const refused = { code: 'SIGNER_CONFLICT' }

  it('another vote of the round and type', async () => {
    const signer = await fresh()
    await signer.signVote(at(PREVOTE, 0, A))
    await expect(signer.signVote(at(PREVOTE, 0, B))).rejects.toMatchObject(refused)
    await expect(signer.signVote(at(PREVOTE, 0, ''))).rejects.toMatchObject(refused)
    await signer.signVote(at(PRECOMMIT, 0, ''))
    await expect(signer.signVote(at(PRECOMMIT, 0, A), keep(0, A))).rejects.toMatchObject(refused)
  })

  it('another proposal of the round: block or valid round', async () => {
    const signer = await fresh()
    const slot = { height: 7, round: 3, validRound: 1, blockHash: bytes(A) }
    await signer.signProposal(slot, new Uint8Array(1))
    const others = [{ blockHash: bytes(B) }, { validRound: 0 }, { validRound: undefined }]
    for (const other of others) {
      await expect(signer.signProposal({ ...slot, ...other }, new Uint8Array(1))).rejects.toMatchObject(refused)
    }
  })

  it('going back: an earlier round, an earlier step, an earlier height', async () => {
    const signer = await fresh()
    await signer.signVote(at(PREVOTE, 2, A))
    await expect(signer.signVote(at(PREVOTE, 1, A))).rejects.toMatchObject(refused)
    const slot = { height: 7, round: 2, blockHash: bytes(A) }
    await expect(signer.signProposal(slot, new Uint8Array(1))).rejects.toMatchObject(refused)
    await signer.signVote(at(PRECOMMIT, 3, ''))
    await expect(signer.signVote(at(PREVOTE, 3, A))).rejects.toMatchObject(refused)
    await expect(signer.signVote(at(PREVOTE, 9, A, 6))).rejects.toMatchObject(refused)
    await expect(signer.keepValid(6, keep(0, A))).rejects.toMatchObject(refused)
  })

  it('a precommit of a block without the lock on it, and a lock with anything else', async () => {
    const signer = await fresh()
    await expect(signer.signVote(at(PRECOMMIT, 0, A))).rejects.toMatchObject(refused)
    await expect(signer.signVote(at(PRECOMMIT, 0, A), keep(0, B))).rejects.toMatchObject(refused)
    await expect(signer.signVote(at(PRECOMMIT, 0, A), keep(1, A))).rejects.toMatchObject(refused)
    await expect(signer.signVote(at(PREVOTE, 0, A), keep(0, A))).rejects.toMatchObject(refused)
    await expect(signer.signVote(at(PRECOMMIT, 0, ''), keep(0, A))).rejects.toMatchObject(refused)
    expect(signer.restore(7)).toBeUndefined()
  })

  it('changes nothing', async () => {
    const signer = await fresh()
    await signer.signVote(at(PREVOTE, 0, A))
    const before = signer.restore(7)
    await expect(signer.signVote(at(PREVOTE, 0, B))).rejects.toMatchObject(refused)
    expect(signer.restore(7)).toEqual(before)
    await signer.signVote(at(PRECOMMIT, 0, ''))
  })

  it('two requests for one slot at once: the second', async () => {
    const signer = await fresh()
    const both = await Promise.allSettled([signer.signVote(at(PREVOTE, 0, A)), signer.signVote(at(PREVOTE, 0, B))])
    expect(both).toMatchObject([{ status: 'fulfilled' }, { status: 'rejected', reason: refused }])
  })
})

describe('what is kept', () => {
  it('everything of a height is there again after a restart', async () => {
    const path = join(tempDir(), 'signer')
    const signer = await open(path)
    const entry: Vote[] = [prevote(1, 2, '').vote, prevote(1, 3, '').vote]
    const block = new TextEncoder().encode('block A')
    const proposal = await signer.signProposal({ height: 7, round: 0, blockHash: bytes(A) }, block)
    const votes = [
      await signer.signVote(at(PREVOTE, 0, A)),
      await signer.signVote(at(PRECOMMIT, 0, A), keep(0, A, 'block A')),
      await signer.signVote(at(PREVOTE, 1, ''), undefined, entry),
      await signer.signVote(at(PRECOMMIT, 1, ''), undefined, entry)
    ]
    await signer.keepValid(7, keep(1, B, 'block B'))
    const before = signer.restore(7)
    await signer.close()
    const after = (await open(path)).restore(7)
    expect(after?.locked).toEqual({ hash: A, round: 0 })
    expect(after?.valid).toEqual({ hash: B, round: 1 })
    expect(after?.proposals).toEqual([proposal])
    const order = (vote: Vote): string => `${vote.round} ${vote.type}`
    const sorted = (list: readonly Vote[]): Vote[] => [...list].sort((a, b) => order(a).localeCompare(order(b)))
    expect(sorted(after?.votes ?? [])).toEqual(sorted(votes))
    expect(after?.entry).toEqual({ round: 1, votes: entry })
    expect(after?.prevotes).toEqual(before?.prevotes)
    expect([...(after?.prevotes.keys() ?? [])].sort()).toEqual([0, 1])
    const blocks = [...(after?.blocks ?? [])].map(([hash, block]) => [hash, Buffer.from(block).toString()]).sort()
    expect(blocks).toEqual(
      [
        [A, 'block A'],
        [B, 'block B']
      ].sort()
    )
  })

  it('blocks and prevotes that nothing refers to any more go', async () => {
    const signer = await fresh()
    await signer.signProposal({ height: 7, round: 0, blockHash: bytes(B) }, new Uint8Array([1]))
    await signer.signVote(at(PRECOMMIT, 1, A), keep(1, A))
    await signer.signProposal({ height: 7, round: 4, blockHash: bytes(A), validRound: 1 }, new Uint8Array([1]))
    await signer.keepValid(7, keep(2, hashOf('C')))
    expect([...(signer.restore(7)?.blocks.keys() ?? [])].sort()).toEqual([A, hashOf('C')].sort())
    await signer.signVote(at(PRECOMMIT, 5, B), keep(5, B))
    const memory = signer.restore(7)
    // The own proposal of round 4 rests on those of round 1.
    expect([...(memory?.prevotes.keys() ?? [])]).toEqual([1, 5])
    expect([...(memory?.blocks.keys() ?? [])].sort()).toEqual([A, B].sort())
    await signer.signProposal({ height: 7, round: 6, blockHash: bytes(B), validRound: 5 }, new Uint8Array([1]))
    expect([...(signer.restore(7)?.prevotes.keys() ?? [])]).toEqual([5])
  })

  it('an older valid value does not replace a newer one', async () => {
    const signer = await fresh()
    await signer.keepValid(7, keep(3, A))
    await signer.keepValid(7, keep(1, B))
    expect(signer.restore(7)?.valid).toEqual({ hash: A, round: 3 })
  })

  it('only the high-water mark outlives a height', async () => {
    const path = join(tempDir(), 'signer')
    const signer = await open(path)
    await signer.signVote(at(PREVOTE, 0, A))
    await signer.signVote(at(PRECOMMIT, 0, A), keep(0, A))
    await signer.signVote(at(PREVOTE, 0, '', 8))
    expect(signer.lowest).toBe(8)
    expect(signer.restore(7)).toBeUndefined()
    await signer.close()
    const database = new ClassicLevel<string, string>(path)
    const keys = await database.keys().all()
    await database.close()
    expect(keys.sort()).toEqual(['format', 'head', 'mark/8', 'vote/PREVOTE/0'])
    const again = await open(path)
    expect(again.lowest).toBe(8)
    await expect(again.signVote(at(PREVOTE, 5, A))).rejects.toMatchObject({ code: 'SIGNER_CONFLICT' })
  })

  it('never shows the key', async () => {
    const signer = await fresh()
    await signer.signVote(at(PREVOTE, 0, A))
    const shown = `${inspect(signer, { depth: 9, showHidden: true })} ${JSON.stringify(signer)}`
    expect(shown).not.toContain(toHex(key.secretKey.subarray(0, 8)))
    expect(shown).not.toContain('secretKey')
    expect(shown).not.toContain(String([...key.secretKey.subarray(0, 4)]))
  })

  it('lies in a folder of its own that is nobody else’s to read', async () => {
    const path = join(tempDir(), 'signer')
    await open(path)
    expect(statSync(path).mode & 0o777).toBe(0o700)
  })
})

describe('before a signature is out', () => {
  it('what it rests on is on the disk: each write of the log waits for the disk', async () => {
    const batch = vi.spyOn(ClassicLevel.prototype, 'batch')
    onTestFinished(() => batch.mockRestore())
    const signer = await fresh()
    await signer.signProposal({ height: 7, round: 0, blockHash: bytes(A) }, new Uint8Array(5))
    await signer.signVote(at(PREVOTE, 0, A))
    await signer.signVote(at(PRECOMMIT, 0, A), keep(0, A))
    await signer.keepValid(7, keep(1, B))
    await signer.raise(8)
    const options = (batch.mock.calls as unknown[][]).map(([, given]) => given)
    expect(options.length).toBeGreaterThanOrEqual(5)
    expect(options).toEqual(options.map(() => ({ sync: true })))
  })

  it.each(['vote', 'proposal'] as const)('a %s is in the log, and after that in the mark', async (what) => {
    const path = join(tempDir(), 'signer')
    const store = await openSignerStore(path)
    const mark = new MemoryMark(freshMark(key.publicKey, genesisHash))
    const order: string[] = []
    let isHeld = false
    let next = (): void => {}
    const held = async (name: string, write: () => Promise<void>): Promise<void> => {
      if (isHeld) {
        order.push(name)
        await new Promise<void>((resolve) => {
          next = resolve
        })
      }
      await write()
      if (isHeld) order.push(`${name} done`)
    }
    const options = { path, markPath: 'memory', key, genesisHash }
    const writeMark = mark.write.bind(mark)
    vi.spyOn(mark, 'write').mockImplementation((one) => held('mark', () => writeMark(one)))
    const log: typeof store = { ...store, write: (writes) => held('log', () => store.write(writes)) }
    const signer = await Signer.over(log, mark, options)
    onTestFinished(() => {
      isHeld = false
      next()
      return signer.close()
    })
    isHeld = true
    const slot = { height: 7, round: 0, blockHash: bytes(A) }
    const signed = what === 'vote' ? signer.signVote(at(PREVOTE, 0, A)) : signer.signProposal(slot, bytes(A))
    const out = signed.then(() => order.push('out'))
    const settle = async (last: string): Promise<void> => {
      await waitFor(() => expect(order).toContain(last))
      for (let i = 0; i < 20; i++) await new Promise(setImmediate)
    }
    await settle('log')
    expect(order).toEqual(['log'])
    next()
    await settle('mark')
    expect(order).toEqual(['log', 'log done', 'mark'])
    next()
    await out
    expect(order).toEqual(['log', 'log done', 'mark', 'mark done', 'out'])
  })
})

describe('opening', () => {
  it('refuses the log of another key, another chain, another format, and nonsense', async () => {
    const path = join(tempDir(), 'signer')
    await (await open(path)).close()
    const markPath = `${path}.none`
    const otherKey = { markPath, key: keyPairFromSeed(new Uint8Array(32).fill(4)) }
    await expect(open(path, otherKey)).rejects.toMatchObject({ code: 'SIGNER_OTHER_KEY' })
    const otherChain = { markPath, genesisHash: new Uint8Array(32) }
    await expect(open(path, otherChain)).rejects.toMatchObject({ code: 'SIGNER_OTHER_CHAIN' })
    const database = new ClassicLevel<string, string>(path)
    await database.put('surprise', '')
    await database.close()
    await expect(open(path)).rejects.toMatchObject({ code: 'SIGNER_CORRUPT' })
  })

  it('refuses a second signer of the same log', async () => {
    const path = join(tempDir(), 'signer')
    const first = await open(path)
    await expect(open(path)).rejects.toMatchObject({ code: 'SIGNER_LOCKED' })
    await first.close()
    await open(path)
  })

  it('a log that lacks what its mark has is not adopted, whatever else is in doubt', async () => {
    const path = join(tempDir(), 'signer')
    const options = { path, markPath: 'memory', key, genesisHash }
    const mark = new MemoryMark(freshMark(key.publicKey, genesisHash))
    const first = await Signer.over(await openSignerStore(path), mark, options)
    await first.signVote(at(PREVOTE, 0, A))
    await first.close()
    const found = mark.mark!
    const copy = new MemoryMark({ ...found, sequence: found.sequence + 3, height: 9 })
    vi.spyOn(copy, 'read').mockResolvedValue({ kind: 'read', mark: copy.mark!, copied: true, torn: false })
    const signer = await Signer.over(await openSignerStore(path), copy, options)
    onTestFinished(() => signer.close())
    await expect(signer.adopt()).rejects.toMatchObject({ code: 'SIGNER_CONFLICT' })
    expect(signer.doubt?.code).toBe('SIGNER_COPIED')
  })

  it('signs nothing after a write that failed: what is on disk is not known', async () => {
    const path = join(tempDir(), 'signer')
    const store = await openSignerStore(path)
    onTestFinished(() => store.close())
    const mark = new MemoryMark(freshMark(key.publicKey, genesisHash))
    let fails = false
    const write: typeof store.write = (writes) => (fails ? Promise.reject(new Error('full')) : store.write(writes))
    const signer = await Signer.over({ ...store, write }, mark, { path, markPath: 'memory', key, genesisHash })
    await signer.signVote(at(PREVOTE, 0, A))
    fails = true
    const broken = { code: 'SIGNER_BROKEN' }
    await expect(signer.signVote(at(PRECOMMIT, 0, ''))).rejects.toMatchObject(broken)
    fails = false
    await expect(signer.signVote(at(PRECOMMIT, 0, ''))).rejects.toMatchObject(broken)
    await expect(signer.signVote(at(PREVOTE, 0, A))).rejects.toMatchObject(broken)
  })

  it('signs nothing after it was closed', async () => {
    const signer = await fresh()
    await signer.close()
    await expect(signer.signVote(at(PREVOTE, 0, A))).rejects.toMatchObject({ code: 'SIGNER_BROKEN' })
  })
})
