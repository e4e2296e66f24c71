import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { toHex } from '../../src/codec/bytes.ts'
import { type ProofJson, proofToJson } from '../../src/light/verify/proof-json.ts'
import { ServedChain } from '../light/support/served-chain.ts'
import { type Bundle, bundleForBrowser } from './support/bundle.ts'
import { findChromium } from './support/chromium.ts'

const chain = new ServedChain(12)
const { genesis } = chain
const json = proofToJson(genesis, { kind: 'event', proof: chain.eventProof(5, 2, 11), anchor: chain.anchor(11) })

let bundle: Bundle
beforeAll(async () => {
  bundle = await bundleForBrowser()
})

describe('the bundle for a browser', () => {
  test('asks for none of the modules of Node', () => {
    expect(bundle.builtins).toEqual([])
    const globals = /(?<![\w$.])(?:require\(|node:|(?:Buffer|process)\.)[\w.]*/g
    expect(bundle.code.match(globals) ?? []).toEqual([])
  })

  test('has the portable files in the place of those of Node, and nothing of the rest of the node', () => {
    const own = bundle.modules.filter((id) => id.startsWith('dist/'))
    for (const file of ['codec/bytes', 'crypto/ed25519', 'crypto/sha256']) {
      expect(own).not.toContain(`dist/${file}.js`)
      expect(own).toContain(`dist/${file.replace('/', '/portable/')}.js`)
    }
    expect(own.filter((id) => !/^dist\/(codec|crypto|chain|light)\/|^dist\/error\.js$/.test(id))).toEqual([])
    expect(bundle.modules.filter((id) => /sodium|libp2p/.test(id))).toEqual([])
  })
})

const executablePath = findChromium()
if (executablePath === undefined) {
  console.warn('no Chromium: nothing is run in a browser; install the package chromium or set CHROMIUM to its path')
}
const why = executablePath === undefined ? ' (left out: no Chromium; set CHROMIUM or install the package chromium)' : ''

describe.skipIf(executablePath === undefined)(`in headless Chromium${why}`, () => {
  const profile = mkdtempSync(join(tmpdir(), 'moloch-chromium-'))
  let server: Server
  let context: BrowserContext
  let page: Page
  const errors: string[] = []

  beforeAll(async () => {
    server = createServer((request, response) => {
      const script = request.url === '/light.js'
      response.setHeader('content-type', script ? 'text/javascript' : 'text/html')
      response.end(script ? bundle.code : '<!doctype html><title>light</title><script src="/light.js"></script>')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    context = await chromium.launchPersistentContext(profile, {
      executablePath: executablePath as string,
      headless: true,
      // Root, as in a container, has no sandbox; the rest keeps it from asking the network for anything.
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync'
      ]
    })
    page = await context.newPage()
    page.on('pageerror', (error) => errors.push(error.message))
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
  })

  afterAll(async () => {
    await context?.close()
    await new Promise((resolve) => server?.close(resolve))
    rmSync(profile, { recursive: true, force: true, maxRetries: 3 })
  })

  /** What a page does with the library: the whole of it runs in the browser. */
  function verify(proof: ProofJson, trust = chain.anchor(11)): Promise<string> {
    const input = {
      proof: JSON.stringify(proof),
      genesis: genesis.json,
      height: trust.height,
      hash: toHex(trust.hash)
    }
    return page.evaluate(({ proof, genesis, height, hash }) => {
      const { moloch } = globalThis as unknown as { moloch: typeof import('../../src/light/index.ts') }
      const options = {
        genesis: moloch.parseGenesis(genesis),
        trust: [{ height, hash: moloch.fromHex(hash) as Uint8Array }]
      }
      try {
        const result = moloch.verifyProofFile(moloch.parseProofFile(proof), options)
        if (!result.ok) return result.code
        return 'event' in result ? `${moloch.toHex(result.event.id)} in block ${result.header.height}` : 'no event'
      } catch (error) {
        return String((error as { code?: string }).code ?? error)
      }
    }, input)
  }

  function changed(change: (proof: Extract<ProofJson, { kind: 'event' }>) => void): ProofJson {
    const copy = structuredClone(json) as Extract<ProofJson, { kind: 'event' }>
    change(copy)
    return copy
  }

  test('a proof file verifies', async () => {
    expect(await verify(json)).toBe(`${toHex(chain.eventId(5, 2))} in block 5`)
    expect(errors).toEqual([])
  })

  test('changed ones do not, each with the code of its step', async () => {
    const signature = changed((proof) => {
      const bytes = Buffer.from(proof.event.bytes, 'base64')
      // The end of the encoded event is the end of its signature.
      bytes[bytes.length - 1] = (bytes[bytes.length - 1] as number) ^ 1
      proof.event.bytes = bytes.toString('base64')
    })
    expect(await verify(signature)).toBe('PROOF_WRONG_EVENT')
    expect(await verify(changed((proof) => proof.event.path.pop()))).toBe('PROOF_EVENT_PATH')
    expect(await verify(changed((proof) => (proof.header.timestamp += 1)))).toBe('PROOF_MMR_PATH')
    expect(await verify(changed((proof) => (proof.event.index = 3)))).toBe('PROOF_EVENT_PATH')
    expect(await verify(changed((proof) => (proof.genesis_hash = '00'.repeat(32))))).toBe('PROOF_WRONG_CHAIN')
    expect(await verify(changed((proof) => (proof.header.mmr_root = 'x')))).toBe('PROOF_MALFORMED')
    expect(await verify(json, chain.anchor(10))).toBe('PROOF_WRONG_ANCHOR')
    expect(errors).toEqual([])
  })

  test('a signature that is none, with the id made to fit', async () => {
    const proof = chain.eventProof(5, 2, 11)
    const event = { ...proof.event, signature: new Uint8Array(64).fill(1) } as NonNullable<typeof proof.event>
    const json = proofToJson(genesis, { kind: 'event', proof: { ...proof, event }, anchor: chain.anchor(11) })
    expect(await verify(json)).toBe('PROOF_EVENT_SIGNATURE')
  })

  test('a light client follows a chain, certificates and all', async () => {
    const input = {
      genesis: genesis.json,
      headers: chain.headers.map(toHex)
    }
    const tip = await page.evaluate(async ({ genesis, headers }) => {
      const { moloch } = globalThis as unknown as { moloch: typeof import('../../src/light/index.ts') }
      const source = {
        getHeaders: async (start: number, count: number) => ({
          peaks: [],
          headers: headers.slice(start - 1, start - 1 + count).map((hex) => moloch.fromHex(hex) as Uint8Array)
        }),
        getProof: async () => new Uint8Array(0)
      }
      const client = new moloch.LightClient({ genesis: moloch.parseGenesis(genesis), source })
      await client.start()
      const { height, hash } = await client.follow()
      return `${height} ${moloch.toHex(hash)}`
    }, input)
    expect(tip).toBe(`12 ${toHex(chain.anchor(12).hash)}`)
  })
})
