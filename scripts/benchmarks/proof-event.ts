import { blockHash } from '../../src/chain/domain.ts'
import { eventId, verifyEventSignature } from '../../src/chain/event.ts'
import type { Genesis } from '../../src/chain/genesis.ts'
import type { Header } from '../../src/chain/header.ts'
import { leafHash } from '../../src/chain/merkle.ts'
import { verifyInclusion } from '../../src/chain/merkle-proof.ts'
import { assertCanonical } from '../../src/codec/canonical.ts'
import { SignedEvent } from '../../src/codec/generated/event.ts'
import { CompactProof } from '../../src/codec/generated/proof.ts'
import { Proof } from '../../src/codec/generated/sync.ts'
import { PROOF } from '../../src/codec/rules.ts'
import type { Ledger } from '../../src/ledger/ledger.ts'
import type { Benchmark } from './bench.ts'
import { tempFolder } from './cleanup.ts'
import { type LongChain, openLongChain } from './long-chain.ts'
import { median, type Row, rounded, rowOf } from './rows.ts'

const HEIGHT = 1_000_000
const CHAIN: LongChain = {
  height: HEIGHT,
  blocksAt: [1, HEIGHT / 4, HEIGHT / 2, (3 * HEIGHT) / 4, HEIGHT - 1, HEIGHT],
  eventsPerBlock: 100
}

/** Of one proof of an event under the newest header. */
export interface ProofFigures {
  readonly makeMs: number
  readonly verifyMs: number
  /** Encoded, without the event. */
  readonly bytes: number
}

/** What a proof of an event costs whoever makes it, sends it and checks it. */
export const proofEvent: Benchmark = {
  name: 'proof.event',
  summary: `ms to make a proof of an event under header ${HEIGHT} from LevelDB; to check it, and its size`,
  async run({ runs, say }) {
    const { folder, remove } = tempFolder()
    say(`proof.event: a mountain range of ${HEIGHT} blocks is written`)
    const ledger = await openLongChain(folder, CHAIN)
    try {
      const taken: ProofFigures[][] = []
      // The first run warms the code and the caches up.
      for (let i = 0; i <= runs; i++) {
        const figures = await proveAll(ledger)
        if (i > 0) taken.push(figures)
        const { makeMs, verifyMs, bytes } = summary(figures)
        say(`proof.event: made in ${makeMs.toFixed(3)} ms, checked in ${verifyMs.toFixed(3)} ms, ${bytes} bytes`)
      }
      return proofRow(taken, {
        blocks: HEIGHT,
        made: `all mmr nodes, ${CHAIN.blocksAt.length} real blocks, other leaves made up`,
        eventsPerBlock: CHAIN.eventsPerBlock
      })
    } finally {
      await ledger.close()
      remove()
    }
  }
}

/** Every event of the blocks below the tip, each looked up, proven, encoded, decoded and checked. */
async function proveAll(ledger: Ledger): Promise<ProofFigures[]> {
  const figures: ProofFigures[] = []
  const anchor = ledger.tip.header
  const { events } = await ledger.events({ to: HEIGHT - 1 }, undefined, 1000)
  for (const { bytes } of events) {
    const { actor, signature, body } = SignedEvent.decode(bytes)
    const id = eventId(actor, signature, body)
    const start = performance.now()
    const sent = Proof.encode(await ledger.prove({ event: { eventId: id, anchorHeight: anchor.height } }))
    const made = performance.now()
    const proof = verified(ledger.genesis, sent, anchor)
    const checked = performance.now()
    const { event: _, ...rest } = proof
    const size = CompactProof.encode(rest).byteLength
    figures.push({ makeMs: made - start, verifyMs: checked - made, bytes: size })
  }
  return figures
}

/** @throws Error unless it proves its event under a header that is trusted */
function verified(genesis: Genesis, bytes: Uint8Array, anchor: Header): CompactProof {
  assertCanonical(PROOF, bytes)
  const proof = Proof.decode(bytes).event as CompactProof
  const { event, header, eventIndex: index, eventPath, mmrPath } = proof as Required<CompactProof>
  const ok =
    verifyEventSignature(genesis.hash, event) &&
    verifyInclusion({
      leafHash: eventId(event.actor, event.signature, event.body),
      index,
      size: header.eventCount,
      path: eventPath,
      root: header.eventsRoot
    }) &&
    verifyInclusion({
      leafHash: leafHash(blockHash(genesis.hash, header)),
      index: header.height,
      size: anchor.height,
      path: mmrPath,
      root: anchor.mmrRoot
    })
  if (!ok) throw new Error(`the proof of an event of block ${header.height} does not hold`)
  return proof
}

/** Medians, and the largest. */
function summary(figures: readonly ProofFigures[]): ProofFigures {
  return {
    makeMs: median(figures.map(({ makeMs }) => makeMs)),
    verifyMs: median(figures.map(({ verifyMs }) => verifyMs)),
    bytes: Math.max(...figures.map(({ bytes }) => bytes))
  }
}

export function proofRow(runs: readonly (readonly ProofFigures[])[], conditions: Row['conditions']): Row {
  const sums = runs.map(summary)
  return rowOf(
    'proof.event',
    sums.map(({ makeMs }) => makeMs),
    'ms',
    {
      ...conditions,
      proofs: runs[0]?.length ?? 0,
      'check ms': rounded(median(sums.map(({ verifyMs }) => verifyMs))),
      'bytes beside the event, at most': Math.max(...sums.map(({ bytes }) => bytes))
    }
  )
}
