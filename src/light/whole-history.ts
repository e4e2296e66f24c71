import type { Genesis } from '../chain/genesis.ts'
import type { IndexEntry } from '../chain/trie-record.ts'
import type { HistoryPage, HistoryProof } from '../codec/generated/proof.ts'
import { MolochError } from '../error.ts'
import { decodeProof, type LightSource } from './source.ts'
import type { Anchor } from './verify/anchor.ts'
import type { HistoryKey } from './verify/history-key.ts'
import {
  type ProvenHistory,
  type ProvenPage,
  verifyHistoryPage,
  verifyHistoryProof,
  verifyHistoryStart
} from './verify/history-proof.ts'
import type { ProofFailure } from './verify/result.ts'

type Bytes = Uint8Array<ArrayBuffer>

const NO_EVENTS: IndexEntry = { count: 0, head: new Uint8Array(0) }

export interface WholeHistoryParts {
  readonly genesis: Genesis
  readonly source: Pick<LightSource, 'getProof'>
  /** The trusted header of a height. @throws MolochError NOT_FOLLOWED and what it takes to fetch it */
  anchorAt(height: number): Promise<Anchor>
}

/**
 * Every event of a key, asked for page by page, each page checked before the next one is asked for.
 * @param anchorHeight 0: whatever snapshot the source takes for its newest
 * @throws MolochError with a ProofCode, and what source and `anchorAt` throw
 */
export async function wholeHistory(
  { genesis, source, anchorAt }: WholeHistoryParts,
  key: HistoryKey,
  anchorHeight: number
): Promise<ProvenHistory> {
  const ask = async (height: number, { count, head }: IndexEntry): Promise<HistoryProof> => {
    const asked = { index: key.index, key: key.key as Bytes, anchorHeight: height }
    const history = { ...asked, beforeCount: count, beforeHead: head as Bytes }
    return decodeProof(await source.getProof({ history }), 'history', genesis)
  }
  const first = await ask(anchorHeight, NO_EVENTS)
  const height = first.anchorHeight
  if (anchorHeight !== 0 && height !== anchorHeight) {
    throw new MolochError('PROOF_WRONG_ANCHOR', `the proof is for anchor ${height}; asked for was ${anchorHeight}`)
  }
  const anchor = await anchorAt(height)
  const pages: HistoryPage[] = [...first.pages]
  let left = leftAfter(verifyHistoryStart(first, anchor, genesis, key))
  while (left !== undefined) {
    const answer = await ask(height, left)
    left = leftAfter(verifyHistoryPage(answer, height, left))
    pages.push(...answer.pages)
  }
  const result = verifyHistoryProof({ ...first, pages }, anchor, genesis, key)
  if (!result.ok) throw faultOf(result)
  return result
}

function leftAfter(page: ProvenPage | ProofFailure): IndexEntry | undefined {
  if (!page.ok) throw faultOf(page)
  return page.left
}

function faultOf({ code, step, message }: ProofFailure): MolochError {
  return new MolochError(code, message, { step })
}
