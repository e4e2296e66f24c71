import { concatBytes, fromHex, toHex, u32be, utf8 } from '../codec/bytes.ts'
import { sha256 } from '../crypto/sha256.ts'
import type { Database } from './database.ts'
import { bytesKey, HEIGHT_BYTES, heightBytes, rangeOf, TABLE, view } from './keys.ts'

/** A fault of validators with the signed bytes that prove it. */
export interface EvidenceRecord {
  /** What fault: `conflict`, `votes`, … */
  readonly kind: string
  readonly height: number
  /** Unix ms when it was found here. */
  readonly seenAt: number
  /** Public keys of the validators that it is against. */
  readonly validators: readonly Uint8Array[]
  readonly description: string
  /** The signed messages. */
  readonly parts: readonly Uint8Array[]
}

/** Of one kind: keeps a validator that equivocates at every height from filling the disk. */
const MAX_KIND_ROWS = 10_000
/**
 * Of one kind: the same for a validator that proposes large invalid blocks. Votes and proposals are a few hundred
 * bytes each and meet the other bound first.
 */
const MAX_KIND_BYTES = 64 << 20

/** Each kind has its own room, so that records of one, however large, never keep those of another out. */
interface Room {
  readonly rows: number
  readonly bytes: number
}

export interface PlacedEvidence {
  readonly place: Uint8Array
  readonly record: EvidenceRecord
  readonly rowBytes: number
}

export class EvidenceStore {
  readonly #database: Database
  /** By kind. */
  readonly #taken = new Map<string, Room>()

  constructor(database: Database) {
    this.#database = database
  }

  /** Counts what is there. */
  async load(): Promise<void> {
    for await (const [, row] of this.#database.rows(rangeOf(TABLE.EVIDENCE))) {
      this.#take(unpack(row).kind, row.byteLength)
    }
  }

  /**
   * Writes a record unless its slot has one: one proof of a fault is enough.
   * @param slot what the fault is about (validators, type, …) beside kind and height
   * @param always keep it however many there are
   * @returns whether it was added
   * @throws MolochError STORE_FAILED
   */
  async add(record: EvidenceRecord, slot: string, always = false): Promise<boolean> {
    const key = keyOf(record, slot)
    if ((await this.#database.get(key)) !== undefined) return false
    const row = pack(record)
    const { rows, bytes } = this.#taken.get(record.kind) ?? { rows: 0, bytes: 0 }
    const full = rows >= MAX_KIND_ROWS || bytes + row.byteLength > MAX_KIND_BYTES
    if (full && !always) return false
    this.#take(record.kind, row.byteLength)
    const batch = this.#database.batch()
    batch.put(key, row)
    await this.#database.write(batch)
    return true
  }

  #take(kind: string, bytes: number): void {
    const room = this.#taken.get(kind) ?? { rows: 0, bytes: 0 }
    this.#taken.set(kind, { rows: room.rows + 1, bytes: room.bytes + bytes })
  }

  /** All records, the highest first. */
  async *all(): AsyncGenerator<EvidenceRecord> {
    for await (const { record } of this.below()) yield record
  }

  /** The same from one place on, without that: its records' `place` says where each is. */
  async *below(place?: Uint8Array): AsyncGenerator<PlacedEvidence> {
    const all = rangeOf(TABLE.EVIDENCE)
    const range = place === undefined ? all : { ...all, lt: bytesKey(TABLE.EVIDENCE, place) }
    for await (const [key, row] of this.#database.rows({ ...range, reverse: true })) {
      yield { place: key.subarray(1), record: unpack(row), rowBytes: row.byteLength }
    }
  }

  /** The highest of them. */
  async highest(limit: number): Promise<EvidenceRecord[]> {
    const records: EvidenceRecord[] = []
    for await (const record of this.all()) {
      if (records.length >= limit) break
      records.push(record)
    }
    return records
  }

  /** The first record of a kind, the highest. */
  async find(kind: string): Promise<EvidenceRecord | undefined> {
    for await (const record of this.all()) if (record.kind === kind) return record
    return undefined
  }
}

const SLOT_BYTES = 16
/** Of where a record is. */
export const EVIDENCE_PLACE_BYTES = HEIGHT_BYTES + SLOT_BYTES

function keyOf(record: EvidenceRecord, slot: string): Uint8Array {
  const hash = sha256(utf8(`${record.kind}\n${slot}`)).subarray(0, SLOT_BYTES)
  return bytesKey(TABLE.EVIDENCE, heightBytes(record.height), hash)
}

/** Each of description (JSON) and parts as length u32 ‖ bytes. */
function pack(record: EvidenceRecord): Uint8Array {
  const { kind, height, seenAt, description } = record
  const json = JSON.stringify({ kind, height, seenAt, description, validators: record.validators.map(toHex) })
  return concatBytes(...[utf8(json), ...record.parts].flatMap((part) => [u32be(part.byteLength), part]))
}

function unpack(row: Uint8Array): EvidenceRecord {
  const parts: Uint8Array[] = []
  for (let at = 0; at < row.byteLength; ) {
    const length = view(row).readUInt32BE(at)
    parts.push(row.subarray(at + 4, at + 4 + length))
    at += 4 + length
  }
  const [json, ...signed] = parts
  const { validators, ...rest } = JSON.parse(new TextDecoder().decode(json)) as Omit<EvidenceRecord, 'validators'> & {
    validators: string[]
  }
  return { ...rest, validators: validators.map((hex) => fromHex(hex, 32) as Uint8Array), parts: signed }
}
