import { concatBytes, fromHex, toHex, u32be, utf8 } from '../codec/bytes.ts'
import { sha256 } from '../crypto/sha256.ts'
import type { WriteBatch } from './batch.ts'
import type { Database } from './database.ts'
import { bytesKey, heightBytes, rangeOf, TABLE, view } from './keys.ts'

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

/** Keeps a validator that equivocates at every height from filling the disk. */
const MAX_EVIDENCE_ROWS = 10_000
/** The same for one that proposes large invalid blocks. */
const MAX_EVIDENCE_BYTES = 64 << 20

export class EvidenceStore {
  readonly #database: Database
  #rows = 0
  #bytes = 0

  constructor(database: Database) {
    this.#database = database
  }

  /** Counts what is there. */
  async load(): Promise<void> {
    for await (const [, row] of this.#database.rows(rangeOf(TABLE.EVIDENCE))) {
      this.#rows++
      this.#bytes += row.byteLength
    }
  }

  /**
   * Adds a record unless its slot has one: one proof of a fault is enough.
   * @param slot what the fault is about (validators, type, …) beside kind and height
   * @param always keep it however many there are
   * @returns whether it was added
   */
  async add(batch: WriteBatch, record: EvidenceRecord, slot: string, always = false): Promise<boolean> {
    const key = keyOf(record, slot)
    if ((await this.#database.get(key)) !== undefined) return false
    const row = pack(record)
    const full = this.#rows >= MAX_EVIDENCE_ROWS || this.#bytes + row.byteLength > MAX_EVIDENCE_BYTES
    if (full && !always) return false
    this.#rows++
    this.#bytes += row.byteLength
    batch.put(key, row)
    return true
  }

  /** All records, the highest first. */
  async *all(): AsyncGenerator<EvidenceRecord> {
    for await (const [, row] of this.#database.rows({ ...rangeOf(TABLE.EVIDENCE), reverse: true })) yield unpack(row)
  }

  /** The first record of a kind, the highest. */
  async find(kind: string): Promise<EvidenceRecord | undefined> {
    for await (const record of this.all()) if (record.kind === kind) return record
    return undefined
  }
}

const SLOT_BYTES = 16

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
