/**
 * The signer's mark: how far this key has signed, in a file beside the key, so that it outlives what becomes of data/.
 * It is written after the log and before a signature leaves. Its bytes: one or two slots of 4096, each a line of JSON and
 * its hash, padded with blanks. A write goes to the slot that is not the last one, so one that is cut off leaves that.
 */
import { toHex } from '../codec/bytes.ts'
import { sha256 } from '../crypto/sha256.ts'
import { messageOf } from '../error.ts'
import type { Doubt } from './doubt.ts'
import type { Position } from './signer-log.ts'

export interface Mark {
  /** Hex. */
  readonly publicKey: string
  /** Hex. */
  readonly genesisHash: string
  /** Of the log's write that it was made for. 0: nothing was ever signed. */
  readonly sequence: number
  /** Of the log after that write, hex; empty with sequence 0. */
  readonly digest: string
  /** The height signed at last; 0: none. */
  readonly height: number
  /** Where in that height; undefined: nothing more is signed at it. */
  readonly last?: Position | undefined
  /** That this key has signed more than the log knows, found out while it was used. */
  readonly doubt?: Doubt | undefined
  /** Somebody vouched, where this file is, that this key has never signed anything. It says nothing once something is signed. */
  readonly vouched?: true | undefined
}

export type MarkState =
  | { readonly kind: 'missing' }
  | { readonly kind: 'damaged'; readonly reason: string }
  | {
      readonly kind: 'read'
      readonly mark: Mark
      /** It is not in the file that it was written to. */
      readonly copied: boolean
      /** The other slot is unreadable. */
      readonly torn: boolean
    }

/** What the signer needs of the place where its mark is. */
export interface MarkStore {
  read(): Promise<MarkState>
  /** On the disk (fsync) when it resolves, and whole or not at all. */
  write(mark: Mark): Promise<void>
  close(): Promise<void>
}

/** A disk may lose the sector that it was writing: the slots share none. */
export const SLOT_BYTES = 4096
const VERSION = 1
const text = new TextDecoder()
const utf8 = new TextEncoder()

/** Of a key that has signed nothing yet, for a home that is made. */
export function freshMark(publicKey: Uint8Array, genesisHash: Uint8Array): Mark {
  return { publicKey: toHex(publicKey), genesisHash: toHex(genesisHash), sequence: 0, digest: '', height: 0 }
}

/** What a slot says beside the mark. */
export interface SlotPlace {
  /** The identity of the file that it was written to; undefined: any, for a mark of nothing signed. */
  readonly file?: string | undefined
  /** Of the writes to that file. */
  readonly turn: number
}

export function encodeSlot(mark: Mark, { file, turn }: SlotPlace): Uint8Array {
  const json = JSON.stringify({ version: VERSION, ...mark, file, turn })
  const slot = new Uint8Array(SLOT_BYTES).fill(0x20)
  slot[SLOT_BYTES - 1] = 0x0a
  slot.set(utf8.encode(`${json} ${hashOf(json)}`))
  return slot
}

/** @param file the identity of the file that the bytes are in */
export function readSlots(bytes: Uint8Array, file: string): MarkState {
  const slots = [bytes.subarray(0, SLOT_BYTES), bytes.subarray(SLOT_BYTES, 2 * SLOT_BYTES)]
  const lines = slots.map((slot) => text.decode(slot).trim()).filter((line) => line !== '')
  const read: (Mark & SlotPlace)[] = []
  let reason = 'it is empty'
  for (const line of lines) {
    try {
      read.push(parse(line))
    } catch (error) {
      reason = messageOf(error)
    }
  }
  const newest = read.sort((a, b) => b.turn - a.turn)[0]
  if (newest === undefined) return { kind: 'damaged', reason }
  const { file: of, turn: _, ...mark } = newest
  return { kind: 'read', mark, copied: of !== undefined && of !== file, torn: read.length < lines.length }
}

function parse(line: string): Mark & SlotPlace {
  const cut = line.lastIndexOf(' ')
  const json = line.slice(0, Math.max(0, cut))
  if (line.slice(cut + 1) !== hashOf(json)) throw new Error('its hash is wrong')
  const { version, ...mark } = JSON.parse(json) as Mark & SlotPlace & { version: number }
  if (version !== VERSION) throw new Error(`its format is ${version}, not ${VERSION}`)
  return mark
}

function hashOf(json: string): string {
  return toHex(sha256(utf8.encode(json)))
}
