import { joinFinalized } from '../../../src/codec/raw.ts'
import { ChainMaker, type MemoryChain } from '../../support/chain-maker.ts'
import { honestChain, TIP } from './chain.ts'

/** Where the other chain begins. */
export const FORK = 100

let made: MemoryChain | undefined

/** A chain that the same validators have signed as well: up to FORK − 1 it is the honest one. Made once a file. */
export function otherChain(): MemoryChain {
  made ??= makeOther()
  return made
}

function makeOther(): MemoryChain {
  const honest = honestChain()
  const maker = new ChainMaker(honest.maker.spec)
  const common = honest.blocks.slice(0, FORK - 1)
  for (const block of common) maker.head.advance(block)
  const others = Array.from({ length: TIP - FORK + 1 }, () => maker.next([]))
  const blocks = [...common, ...others]
  const frames = [
    ...honest.frames.slice(0, FORK - 1),
    ...others.map(({ blockBytes, commitBytes }) => joinFinalized(blockBytes, commitBytes))
  ]
  return { maker, genesis: honest.genesis, blocks, frames }
}
