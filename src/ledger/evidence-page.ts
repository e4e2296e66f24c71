import { fromHex, toHex } from '../codec/bytes.ts'
import { MolochError } from '../error.ts'
import { EVIDENCE_PLACE_BYTES, type EvidenceRecord, type EvidenceStore } from '../store/evidence-store.ts'
import type { Room } from './query.ts'

/** The signed messages are read too, and are large where they are whole blocks. */
const MAX_READ_BYTES = 8 << 20

export interface EvidencePage {
  readonly records: readonly EvidenceRecord[]
  /** Where to go on; undefined: that was all. */
  readonly nextCursor: string | undefined
}

/** A page of proofs of faults, the highest first. @throws MolochError BAD_CURSOR */
export async function evidencePage(
  store: EvidenceStore,
  cursor: string | undefined,
  limit: number,
  fits: Room<EvidenceRecord>
): Promise<EvidencePage> {
  const records: EvidenceRecord[] = []
  let bytes = 0
  let last: Uint8Array = new Uint8Array(0)
  for await (const { place, record, rowBytes } of store.below(cursor === undefined ? undefined : parse(cursor))) {
    const isFull = records.length === limit || (records.length > 0 && bytes + rowBytes > MAX_READ_BYTES)
    if (isFull || !fits(record)) return { records, nextCursor: toHex(last) }
    records.push(record)
    bytes += rowBytes
    last = place
  }
  return { records, nextCursor: undefined }
}

function parse(cursor: string): Uint8Array {
  const place = fromHex(cursor, EVIDENCE_PLACE_BYTES)
  if (place !== undefined) return place
  throw new MolochError('BAD_CURSOR', `cursor ${JSON.stringify(cursor)} is none; accepted: a page's next_cursor`)
}
