import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { toHex } from '../../src/codec/bytes.ts'
import { Proof } from '../../src/codec/generated/sync.ts'
import { proofToJson } from '../../src/light/verify/proof-json.ts'
import { PROOF_CODES, stepOf } from '../../src/light/verify/result.ts'
import { ServedChain } from '../light/support/served-chain.ts'

/** The samples of docs/proofs.md as they are written there, on what is published: dist/. */
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const TEXT = readFileSync(join(ROOT, 'docs/proofs.md'), 'utf8')
const chain = new ServedChain(9)
const ID = toHex(chain.eventId(4, 2))
let dir: string

beforeAll(() => {
  // Inside the package, which then finds itself by its name.
  mkdirSync(join(ROOT, '.cache'), { recursive: true })
  dir = mkdtempSync(join(ROOT, '.cache', 'sample-'))
  for (const [, code, name] of TEXT.matchAll(/```js\n(\/\/ (\w+\.mjs)[\s\S]*?)```/g)) {
    writeFileSync(join(dir, name as string), code as string)
  }
  const proof = { kind: 'event', proof: chain.eventProof(4, 2, 8), anchor: chain.anchor(8) } as const
  writeFileSync(join(dir, 'proof.json'), JSON.stringify(proofToJson(chain.genesis, proof)))
  writeFileSync(join(dir, 'genesis.json'), chain.genesis.json)
})

afterAll(() => rmSync(dir, { recursive: true, force: true }))

test('verify.mjs', () => {
  const run = (hash: Uint8Array) =>
    spawnSync(process.execPath, ['verify.mjs', 'proof.json', 'genesis.json', '8', toHex(hash)], {
      cwd: dir,
      encoding: 'utf8'
    })
  const good = run(chain.anchor(8).hash)
  expect(good.stderr).toBe('')
  expect(good.stdout).toMatch(/\nmmr_path: .*\nproven: action-\d by [0-9a-f]{64} in block 4\n$/)
  const bad = run(chain.anchor(7).hash)
  expect(bad.stderr).toMatch(/^PROOF_WRONG_ANCHOR: /)
  expect(bad.status).toBe(1)
})

test('follow.mjs', () => {
  const headers = JSON.stringify(chain.headers.map(toHex))
  const proof = toHex(Proof.encode({ event: chain.eventProof(4, 2, 9) }))
  writeFileSync(
    join(dir, 'source.mjs'),
    `const headers = ${headers}.map((hex) => Buffer.from(hex, 'hex'))
    export const source = {
      getHeaders: async (start, count) => ({ peaks: [], headers: headers.slice(start - 1, start - 1 + count) }),
      getProof: async () => Buffer.from('${proof}', 'hex')
    }`
  )
  const out = execFileSync(process.execPath, ['follow.mjs', 'genesis.json', ID], { cwd: dir, encoding: 'utf8' })
  expect(out).toMatch(/^action-\d: block 4 of 9\n$/)
})

test('the table of steps has every code beside its step', () => {
  for (const code of PROOF_CODES) {
    const row = TEXT.split('\n').find((line) => line.startsWith(`| \`${stepOf(code)}\` |`))
    expect(row, code).toContain(`\`${code}\``)
  }
})
