/** Marks of the signer for tests. */
import { existsSync, writeFileSync } from 'node:fs'
import { encodeSlot, freshMark, type Mark, type MarkState, type MarkStore } from '../../../src/consensus/signer-mark.ts'

/** What is left of a mark in memory. */
export class MemoryMark implements MarkStore {
  mark: Mark | undefined

  constructor(mark: Mark | undefined) {
    this.mark = mark
  }

  async read(): Promise<MarkState> {
    return this.mark === undefined ? { kind: 'missing' } : { kind: 'read', mark: this.mark, copied: false, torn: false }
  }

  async write(mark: Mark): Promise<void> {
    this.mark = mark
  }

  async close(): Promise<void> {}
}

/** As a home that is made has it. */
export function writeFreshMark(path: string, publicKey: Uint8Array, genesisHash: Uint8Array): void {
  if (!existsSync(path))
    writeFileSync(path, encodeSlot(freshMark(publicKey, genesisHash), { turn: 0 }), { mode: 0o600 })
}
