import { joinFinalized } from '../../src/codec/raw.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { silentLog } from '../../src/log.ts'
import type { BuiltChain } from '../../test/support/chain-builder.ts'

/** The mean wire form of a block, from the first hundred. */
export async function weigh({ path, genesis, blocks }: BuiltChain): Promise<number> {
  const ledger = await Ledger.open({ path, genesis, log: silentLog })
  try {
    const count = Math.min(100, blocks)
    let bytes = 0
    for (let height = 1; height <= count; height++) {
      const block = await ledger.blockAt(height)
      if (block !== undefined) bytes += joinFinalized(block.blockBytes, block.commitBytes).byteLength
    }
    return bytes / count
  } finally {
    await ledger.close()
  }
}
