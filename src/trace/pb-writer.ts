/**
 * Writes one protobuf message from its end to its beginning, so that what is inside has its length when its head is written.
 * Records come one by one between much else, so what is called here is seldom in any cache nor compiled to its best: few steps
 * a field count for more than fast ones. protons makes an object of every field, and was two thirds of the cost.
 */

const FIRST_BYTES = 64 << 10
/** A record that was larger than this does not keep its buffer. */
const KEPT_BYTES = 1 << 20
/** Topics and protocols, over and over; what a peer makes up is not kept if it is long, and soon replaced. */
const MAX_TEXTS = 256
const MAX_TEXT_CHARS = 128

const [VARINT, FIXED64, DELIMITED] = [0, 1, 2]
/** A tag and a length or a varint: what a field has besides its bytes. */
const MAX_HEAD_BYTES = 5 + 10

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

  /** Begins another message; the last `kept` bytes stay as its end. */
  clear(kept = 0): void {
    if (kept === 0 && this.#bytes.length > KEPT_BYTES) this.#bytes = new Uint8Array(FIRST_BYTES)
    this.#at = this.#bytes.length - kept
  }

  integer(field: number, value: number): void {
    this.#varint(value)
    this.#varint(field * 8 + VARINT)
  }

  int64(field: number, value: bigint): void {
    int64[0] = value
    this.#varint64(halves[0] as number, halves[1] as number)
    this.#varint(field * 8 + VARINT)
  }

  double(field: number, value: number): void {
    double[0] = value
    this.#need(8)
    this.#at -= 8
    this.#bytes.set(doubleBytes, this.#at)
    this.#varint(field * 8 + FIXED64)
  }

  bytes(field: number, value: Uint8Array): void {
    const { length } = value
    this.#need(length)
    this.#at -= length
    this.#bytes.set(value, this.#at)
    this.#head(field, length)
  }

  text(field: number, value: string): void {
    this.bytes(field, texts.get(value) ?? utf8(value))
  }

  /** Ends a message inside: what was written since there were `since` bytes. */
  message(field: number, since: number): void {
    this.#head(field, this.#bytes.length - this.#at - since)
  }

  #head(field: number, length: number): void {
    if (length > 0x7f || field > 15 || this.#at < 2) {
      this.#varint(length)
      this.#varint(field * 8 + DELIMITED)
      return
    }
    const bytes = this.#bytes
    bytes[--this.#at] = length
    bytes[--this.#at] = field * 8 + DELIMITED
  }

  #varint(value: number): void {
    this.#need(MAX_HEAD_BYTES)
    if (value <= 0x7f) {
      this.#bytes[--this.#at] = value
      return
    }
    if (value > 0xffff_ffff) {
      this.#varint64(value % 2 ** 32, Math.floor(value / 2 ** 32))
      return
    }
    let size = 2
    for (let rest = value >>> 14; rest > 0; rest >>>= 7) size++
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
    this.#need(10)
    const last = high >>> 24
    if (last > 0 && last <= 0x7f) {
      // Nanoseconds since 1970, which every record has: 28 bits, 28 bits and 7.
      const bytes = this.#bytes
      this.#at -= 9
      const at = this.#at
      const middle = (low >>> 28) | (high << 4)
      bytes[at] = low | 0x80
      bytes[at + 1] = (low >>> 7) | 0x80
      bytes[at + 2] = (low >>> 14) | 0x80
      bytes[at + 3] = (low >>> 21) | 0x80
      bytes[at + 4] = middle | 0x80
      bytes[at + 5] = (middle >>> 7) | 0x80
      bytes[at + 6] = (middle >>> 14) | 0x80
      bytes[at + 7] = (middle >>> 21) | 0x80
      bytes[at + 8] = last
      return
    }
    // 28 bits, 28 bits and the last 8.
    const groups = [low & 0x0fff_ffff, ((low >>> 28) | (high << 4)) & 0x0fff_ffff, high >>> 24] as const
    let size = groups[2] > 0x7f ? 10 : groups[2] > 0 ? 9 : 8
    if (size === 8) while (size > 5 && groups[1] >>> (7 * (size - 5)) === 0) size--
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
  const bytes = Buffer.from(text)
  if (text.length <= MAX_TEXT_CHARS) {
    if (texts.size >= MAX_TEXTS) texts.clear()
    texts.set(text, bytes)
  }
  return bytes
}
