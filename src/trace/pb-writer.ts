/**
 * Writes one protobuf message from its end to its beginning, so that what is inside has its length when its head is written.
 * A traced node writes thousands of records a second; protons makes an object of every field, and was two thirds of the cost.
 */

const FIRST_BYTES = 64 << 10
/** A record that was larger than this does not keep its buffer. */
const KEPT_BYTES = 1 << 20
/** Topics and protocols, over and over; what a peer makes up is not kept if it is long, and soon replaced. */
const MAX_TEXTS = 256
const MAX_TEXT_CHARS = 128

const [VARINT, FIXED64, DELIMITED] = [0, 1, 2]

const int64 = new BigInt64Array(1)
const halves = new Uint32Array(int64.buffer)
const double = new Float64Array(1)
const doubleBytes = new Uint8Array(double.buffer)
const texts = new Map<string, Uint8Array>()

export class PbWriter {
  #bytes = new Uint8Array(FIRST_BYTES)
  #at = FIRST_BYTES

  /** How much there is: the length of what is written next is the difference. */
  get length(): number {
    return this.#bytes.length - this.#at
  }

  /** What was written, with its length before it. It is good until the writer is used again. */
  delimited(): Uint8Array {
    this.#varint(this.length)
    return this.#bytes.subarray(this.#at)
  }

  /** Begins another message. */
  clear(): void {
    if (this.#bytes.length > KEPT_BYTES) this.#bytes = new Uint8Array(FIRST_BYTES)
    this.#at = this.#bytes.length
  }

  integer(field: number, value: number): void {
    this.#varint(value)
    this.#tag(field, VARINT)
  }

  int64(field: number, value: bigint): void {
    int64[0] = value
    this.#varint64(halves[0] as number, halves[1] as number)
    this.#tag(field, VARINT)
  }

  double(field: number, value: number): void {
    double[0] = value
    this.#raw(doubleBytes)
    this.#tag(field, FIXED64)
  }

  bytes(field: number, value: Uint8Array): void {
    this.#raw(value)
    this.#varint(value.length)
    this.#tag(field, DELIMITED)
  }

  text(field: number, value: string): void {
    this.bytes(field, utf8(value))
  }

  /** Ends a message inside: what was written since there were `since` bytes. */
  message(field: number, since: number): void {
    this.#varint(this.length - since)
    this.#tag(field, DELIMITED)
  }

  #tag(field: number, wire: number): void {
    this.#varint(field * 8 + wire)
  }

  #raw(value: Uint8Array): void {
    this.#need(value.length)
    this.#at -= value.length
    this.#bytes.set(value, this.#at)
  }

  #varint(value: number): void {
    if (value > 0xffff_ffff) {
      this.#varint64(value % 2 ** 32, Math.floor(value / 2 ** 32))
      return
    }
    let size = 1
    for (let rest = value >>> 7; rest > 0; rest >>>= 7) size++
    this.#need(size)
    this.#at -= size
    let [at, rest] = [this.#at, value]
    for (; rest > 0x7f; rest >>>= 7) this.#bytes[at++] = (rest & 0x7f) | 0x80
    this.#bytes[at] = rest
  }

  #varint64(low: number, high: number): void {
    if (high === 0) {
      this.#varint(low)
      return
    }
    // 28 bits, 28 bits and the last 8.
    const groups = [low & 0x0fff_ffff, ((low >>> 28) | (high << 4)) & 0x0fff_ffff, high >>> 24] as const
    let size = groups[2] > 0x7f ? 10 : groups[2] > 0 ? 9 : 8
    if (size === 8) while (size > 5 && groups[1] >>> (7 * (size - 5)) === 0) size--
    this.#need(size)
    this.#at -= size
    for (let i = 0; i < size; i++) {
      const group = groups[i >> 2] as number
      this.#bytes[this.#at + i] = ((group >>> (7 * (i & 3))) & 0x7f) | (i < size - 1 ? 0x80 : 0)
    }
  }

  #need(size: number): void {
    if (this.#at >= size) return
    const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.length + size))
    larger.set(this.#bytes.subarray(this.#at), larger.length - this.length)
    this.#at = larger.length - this.length
    this.#bytes = larger
  }
}

function utf8(text: string): Uint8Array {
  const known = texts.get(text)
  if (known !== undefined) return known
  const bytes = Buffer.from(text)
  if (text.length <= MAX_TEXT_CHARS) {
    if (texts.size >= MAX_TEXTS) texts.clear()
    texts.set(text, bytes)
  }
  return bytes
}
