/** Damage to the signer's LevelDB: whatever it does not read, nothing is signed a second time. */
import { readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { VoteType } from '../../src/codec/generated/chain.ts'
import { Signer } from '../../src/consensus/signer.ts'
import { keyPairFromSeed } from '../../src/crypto/ed25519.ts'
import { hasCode } from '../../src/error.ts'
import { systemHelp } from '../../src/store/errors.ts'
import { tempDir } from '../support/temp-dir.ts'
import { writeFreshMark } from './support/marks.ts'
import { A, B, prevote } from './support/messages.ts'

const key = keyPairFromSeed(new Uint8Array(32).fill(3))
const genesisHash = new Uint8Array(32).fill(9)
const bytes = (hash: string): Uint8Array => new Uint8Array(Buffer.from(hash, 'hex'))
const { PREVOTE, PRECOMMIT } = VoteType
/** More than what LevelDB gives up for one bad byte, 32 KiB. */
const BLOCK_BYTES = 40_000

const precommit = (signer: Signer, round: number, hash: string) =>
  signer.signVote(
    { type: PRECOMMIT, height: 7, round, blockHash: bytes(hash) },
    {
      hash,
      round,
      prevotes: [1, 2, 3].map((validator) => prevote(round, validator, hash).vote),
      block: new Uint8Array(BLOCK_BYTES)
    }
  )

/** What a validator leaves that prevoted and precommitted A in rounds 0 and 1 of height 7. */
async function signed(): Promise<{ path: string; open: () => Promise<Signer> }> {
  const path = join(tempDir(), 'signer')
  const markPath = `${path}.mark`
  writeFreshMark(markPath, key.publicKey, genesisHash)
  const open = () => Signer.open({ path, markPath, key, genesisHash })
  const signer = await open()
  for (const round of [0, 1]) {
    await signer.signVote({ type: PREVOTE, height: 7, round, blockHash: bytes(A) })
    await precommit(signer, round, A)
  }
  await signer.close()
  return { path, open }
}

/** The code of why nothing is opened; else what it signs of two slots that B was wished for. */
async function attempt(open: () => Promise<Signer>): Promise<string> {
  let signer: Signer
  try {
    signer = await open()
  } catch (error) {
    if (hasCode(error, 'SIGNER_CORRUPT')) return 'SIGNER_CORRUPT'
    throw error
  }
  try {
    const votes = [
      await signer.signVote({ type: PREVOTE, height: 7, round: 1, blockHash: bytes(B) }).catch(() => undefined),
      await precommit(signer, 1, B).catch(() => undefined),
      await precommit(signer, 0, B).catch(() => undefined)
    ]
    if (votes.some((vote) => vote !== undefined)) return 'SIGNED TWICE'
    // Whatever it lost it knows: above the height it signs, and has no doubt.
    await signer.signVote({ type: PREVOTE, height: 8, round: 0, blockHash: bytes(B) })
    return signer.settledDoubt?.code ?? 'sound'
  } finally {
    await signer.close()
  }
}

it('a flipped byte of its log, any, is found: the log is damaged, or older than the mark', async () => {
  const outcomes = new Set<string>()
  for (let part = 0; part < 40; part++) {
    const { path, open } = await signed()
    const log = join(path, readdirSync(path).find((name) => name.endsWith('.log')) as string)
    const bytes = readFileSync(log)
    const at = Math.floor((bytes.length * part) / 40)
    bytes[at] = (bytes[at] ?? 0) ^ 0x10
    writeFileSync(log, bytes)
    const outcome = await attempt(open)
    expect(outcome, `byte ${at} of ${bytes.length}`).toMatch(/^SIGNER_(CORRUPT|BEHIND|MISSING)$/)
    outcomes.add(outcome)
  }
  // LevelDB drops what it cannot read: in the middle the rest does not add up, at the end an older log is left.
  expect([...outcomes]).toEqual(expect.arrayContaining(['SIGNER_BEHIND', 'SIGNER_CORRUPT']))
}, 60_000)

it('a cut, an emptied and a missing log are older than the mark; one without its manifest is damaged', async () => {
  const cases: [string, (path: string) => void, RegExp][] = [
    ['cut', (path) => cutLog(path, 0.7), /SIGNER_BEHIND|SIGNER_CORRUPT/],
    ['emptied', (path) => cutLog(path, 0), /SIGNER_BEHIND/],
    ['missing', (path) => rmSync(path, { recursive: true }), /SIGNER_BEHIND/],
    ['no manifest', (path) => remove(path, 'MANIFEST'), /SIGNER_CORRUPT/]
  ]
  for (const [what, damage, expected] of cases) {
    const { path, open } = await signed()
    damage(path)
    expect(await attempt(open), what).toMatch(expected)
  }
})

function cutLog(path: string, part: number): void {
  const name = readdirSync(path).find((one) => one.endsWith('.log')) as string
  const whole = readFileSync(join(path, name))
  writeFileSync(join(path, name), whole.subarray(0, Math.floor(whole.length * part)))
}

function remove(path: string, prefix: string): void {
  for (const name of readdirSync(path)) if (name.startsWith(prefix)) rmSync(join(path, name))
}

it.skipIf(process.platform !== 'linux')(
  'what the machine does not give is no damage: nobody is told to put the log aside',
  async () => {
    const { path, open } = await signed()
    const current = join(path, 'CURRENT')
    const was = readFileSync(current)
    rmSync(current)
    // A read that the system refuses, as a failing disk does (EIO).
    symlinkSync('/proc/self/mem', current)
    const failure = await open().then(
      () => undefined,
      (error) => error
    )
    expect(failure).toMatchObject({ code: 'SIGNER_BROKEN' })
    expect(failure.message).toMatch(/Input\/output error.*the disk does not give what it holds/)
    expect(failure.message).not.toContain('reset')
    rmSync(current)
    writeFileSync(current, was)
    const signer = await open()
    expect(signer.doubt).toBeUndefined()
    await signer.close()
  }
)

it.each([
  ['Too many open files', 'ulimit -n'],
  ['No space left on device', 'make room'],
  ['Permission denied', 'rights'],
  ['Read-only file system', 'rights'],
  ['Input/output error', 'disk'],
  ['Cannot allocate memory', 'memory']
])('%s is the machine’s', (words, help) => {
  expect(systemHelp(`IO error: /home/data/signer/MANIFEST-000002: ${words}`)).toContain(help)
})
