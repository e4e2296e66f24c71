import { describe, expect, it } from 'vitest'
import { Certifier, type Claim } from '../../src/network/certify.ts'
import type { Head } from '../../src/network/types.ts'
import { ChainPorts, chain } from './support/nodes.ts'

function claim(height: number, lie: Partial<Head> & { claimed?: number } = {}): Claim {
  const head = { ...new ChainPorts(height).head(), ...lie }
  return {
    height: lie.claimed ?? head.height,
    headHash: head.hash as Uint8Array<ArrayBuffer>,
    head: head.header,
    ...(head.commit === undefined ? {} : { commit: head.commit })
  }
}

describe('a claimed height', () => {
  it('counts with a commit that verifies, which is checked once', () => {
    const certifier = new Certifier(chain().genesis)
    expect(certifier.check(claim(9), 3)).toBeUndefined()
    expect(certifier.check(claim(9), 3)).toBeUndefined()
    expect(certifier.checks).toBe(1)
    expect(certifier.check(claim(10), 3)).toBeUndefined()
    expect(certifier.checks).toBe(2)
  })

  it('up to our own tip is not looked at', () => {
    const certifier = new Certifier(chain().genesis)
    expect(certifier.check(claim(9, { commit: undefined }), 9)).toBeUndefined()
    expect(certifier.check(claim(0), 0)).toBeUndefined()
    expect(certifier.checks).toBe(0)
  })

  const good = new ChainPorts(9).head()
  const commit = good.commit as NonNullable<Head['commit']>
  const [one, two, ...rest] = commit.signatures
  if (one === undefined || two === undefined) throw new Error('a commit of none')
  const lies: { name: string; code: string; lie: Partial<Head> & { claimed?: number } }[] = [
    { name: 'no commit', code: 'COMMIT_TOO_FEW', lie: { commit: undefined } },
    { name: 'a higher height', code: 'COMMIT_WRONG_BLOCK', lie: { claimed: 900 } },
    {
      name: 'a higher header',
      code: 'COMMIT_WRONG_BLOCK',
      lie: { claimed: 900, header: { ...good.header, height: 900 } }
    },
    { name: 'another hash', code: 'COMMIT_WRONG_BLOCK', lie: { hash: new Uint8Array(32) } },
    {
      name: 'the commit of another block',
      code: 'COMMIT_WRONG_BLOCK',
      lie: { commit: new ChainPorts(8).head().commit }
    },
    { name: 'too few signatures', code: 'COMMIT_TOO_FEW', lie: { commit: { ...commit, signatures: [one, two] } } },
    {
      name: 'one twice',
      code: 'COMMIT_REPEATED_SIGNER',
      lie: { commit: { ...commit, signatures: [one, one, ...rest] } }
    },
    {
      name: 'a bad signature',
      code: 'COMMIT_BAD_SIGNATURE',
      lie: { commit: { ...commit, signatures: [{ ...one, signature: two.signature }, two, ...rest] } }
    },
    {
      name: 'an outsider',
      code: 'COMMIT_UNKNOWN_SIGNER',
      lie: { commit: { ...commit, signatures: [{ ...one, validator: new Uint8Array(32) }, two, ...rest] } }
    },
    { name: 'a header of wrong lengths', code: 'COMMIT_WRONG_BLOCK', lie: { header: { ...good.header, version: -1 } } }
  ]
  it.each(lies)('with $name does not: $code, and spoils nothing', ({ code, lie }) => {
    const certifier = new Certifier(chain().genesis)
    expect(certifier.check(claim(9, lie), 3)?.code).toBe(code)
    expect(certifier.check(claim(9), 3)).toBeUndefined()
  })
})
