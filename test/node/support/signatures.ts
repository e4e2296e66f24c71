/** All that a key ever signed, as far as it can be found: of each slot one value, whatever life it was in. */
import { existsSync } from 'node:fs'
import { expect } from 'vitest'
import { decodeCommit } from '../../../src/chain/commit.ts'
import type { Genesis } from '../../../src/chain/genesis.ts'
import { equalBytes, toHex } from '../../../src/codec/bytes.ts'
import { readMemory } from '../../../src/consensus/signer-log.ts'
import { openSignerStore } from '../../../src/consensus/signer-store.ts'
import type { KeyPair } from '../../../src/crypto/ed25519.ts'
import { Ledger } from '../../../src/ledger/ledger.ts'
import { silentLog } from '../../../src/log.ts'
import { homePaths } from '../../../src/node/home.ts'

export class Signatures {
  readonly #slots = new Map<string, string>()

  add(height: number, round: number, what: string, value: string): void {
    const slot = `${what} of ${height}/${round}`
    expect(this.#slots.get(slot) ?? value, `a second signature: ${slot}`).toBe(value)
    this.#slots.set(slot, value)
  }

  get count(): number {
    return this.#slots.size
  }

  /** What a stopped node's home has: certificates of its chain, and its log. */
  async takeHome(home: string, genesis: Genesis, key: KeyPair): Promise<void> {
    const { chain, signer } = homePaths(home)
    if (existsSync(chain)) await this.#takeChain(chain, genesis, key)
    if (existsSync(signer)) await this.#takeLog(signer)
  }

  async #takeChain(path: string, genesis: Genesis, key: KeyPair): Promise<void> {
    const ledger = await Ledger.open({ path, genesis, log: silentLog })
    try {
      for (let height = 1; height <= ledger.tip.height; height++) {
        const block = await ledger.blockAt(height)
        if (block === undefined) continue
        const { round, signatures } = decodeCommit(block.commitBytes)
        const signed = signatures.some(({ validator }) => equalBytes(validator, key.publicKey))
        if (signed) this.add(height, round, 'PRECOMMIT', toHex(block.hash))
      }
    } finally {
      await ledger.close()
    }
  }

  async #takeLog(path: string): Promise<void> {
    const store = await openSignerStore(path)
    try {
      const memory = readMemory(await store.entries())
      for (const { type, height, round, blockHash } of memory?.votes ?? [])
        this.add(height, round, type, toHex(blockHash))
      for (const { height, round, blockHash } of memory?.proposals ?? []) {
        this.add(height, round, 'PROPOSAL', toHex(blockHash))
      }
    } finally {
      await store.close()
    }
  }
}
