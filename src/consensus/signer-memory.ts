/**
 * The signer's memory on disk: its log, and its mark beside the key. A write goes to the log first and to the mark after;
 * what is signed leaves when both are on disk. So a mark that is ahead says that the log has lost something.
 */
import { MolochError, messageOf } from '../error.ts'
import type { Doubt } from './doubt.ts'
import { FORMAT_VERSION, type ReadSigner, readSigner, type SignerIdentity, type SignerPaths } from './read-signer.ts'
import { digestOf, hashesAfter, NO_HEAD, type SignerHead, type ValueHashes, writeHead } from './signer-head.ts'
import {
  emptyMemory,
  lastPosition,
  type SignerFormat,
  type SignerMemory,
  writeFormat,
  writesBetween
} from './signer-log.ts'
import type { Mark, MarkStore } from './signer-mark.ts'
import type { SignerStore } from './signer-store.ts'

/** A slot of the mark has room for so much. */
const MAX_DOUBT_CHARS = 700

export class DurableMemory {
  readonly #store: SignerStore
  readonly #mark: MarkStore
  readonly #mine: SignerIdentity
  #memory: SignerMemory | undefined
  #head: SignerHead
  #hashes: ValueHashes
  #doubt: Doubt | undefined
  #broken: string | undefined
  /** The log is of the format that has no head. */
  #uncounted: boolean
  /** Of the mark that was found: what the log may lack. */
  readonly #found: Pick<Mark, 'sequence' | 'digest' | 'height'>
  /**
   * Nothing is signed up to the mark's height, which the log lacks. On disk both stay as they are until something is signed above:
   * the log may be put back.
   */
  #shut: SignerMemory | undefined
  #vouched: boolean
  /** What was wrong when it was opened, and is settled: all that was signed before lies below what may be signed. */
  readonly settled: Doubt | undefined

  private constructor(store: SignerStore, mark: MarkStore, mine: SignerIdentity, read: ReadSigner) {
    const { assessment } = read
    this.#store = store
    this.#mark = mark
    this.#mine = mine
    this.#memory = read.memory
    this.#head = read.head
    this.#hashes = read.hashes
    this.#uncounted = read.log.kind === 'uncounted'
    this.#found = read.mark ?? { sequence: 0, digest: '', height: 0 }
    this.#vouched = read.mark?.vouched ?? false
    this.#doubt = assessment.kind === 'doubt' ? assessment.doubt : undefined
    this.settled = assessment.kind === 'behind' ? assessment.doubt : undefined
  }

  /** @throws MolochError SIGNER_CORRUPT | SIGNER_OTHER_KEY | SIGNER_OTHER_CHAIN | SIGNER_BROKEN */
  static async open(
    store: SignerStore,
    mark: MarkStore,
    mine: SignerIdentity,
    paths: SignerPaths
  ): Promise<DurableMemory> {
    const read = await readSigner(store, mark, mine, paths)
    const memory = new DurableMemory(store, mark, mine, read)
    await memory.#agree(read)
    return memory
  }

  /** What was signed at the last height; undefined: nothing ever. */
  get value(): SignerMemory | undefined {
    return this.#shut ?? this.#memory
  }

  /** Nothing was ever signed, as far as is known, and nobody was asked. */
  get isNew(): boolean {
    return this.value === undefined && this.#doubt === undefined && !this.#vouched
  }

  /** The highest height that log or mark say something of; 0: none. */
  get signedUpTo(): number {
    return Math.max(this.#memory?.height ?? 0, this.#found.height)
  }

  /** This key may have signed what the memory does not have; undefined: the memory has all. */
  get doubt(): Doubt | undefined {
    return this.#doubt
  }

  /** Why nothing can be written any more. */
  get broken(): string | undefined {
    return this.#broken
  }

  /** @throws MolochError SIGNER_BROKEN */
  save(memory: SignerMemory): Promise<void> {
    return this.#save(memory, { doubt: this.#doubt })
  }

  /** Nothing that was signed lies above `height`, or is to be signed up to it: no doubt is left. @throws MolochError SIGNER_BROKEN */
  async closeUpTo(height: number): Promise<void> {
    const memory = this.#memory
    const closed = Math.max(height, this.signedUpTo)
    const isClosed = memory?.closed && memory.height >= closed
    if (this.#doubt === undefined && this.#shut === undefined && isClosed) return
    await this.#save({ ...emptyMemory(closed), closed: true }, {})
  }

  /**
   * To be called before the write is waited for: from now on there is a doubt. The first is kept, unless another process
   * signs: that nobody can vouch for. @returns whether it is to be written
   */
  suspect({ code, message }: Doubt): boolean {
    const before = this.#doubt?.code
    if (before === code || (before !== undefined && code !== 'SIGNER_DUPLICATE')) return false
    this.#doubt = { code, message: message.slice(0, MAX_DOUBT_CHARS) }
    return true
  }

  /** Writes down a doubt. @throws MolochError SIGNER_BROKEN */
  saveDoubt(): Promise<void> {
    return this.#keep(() => this.#writeMark())
  }

  /**
   * Somebody vouches that the memory has all that was signed; if it has nothing: that nothing ever was.
   * @throws MolochError SIGNER_CONFLICT if it can't; SIGNER_BROKEN
   */
  async adopt(): Promise<void> {
    const found = this.#found
    const isBehind = found.sequence > this.#head.sequence || found.height > (this.#memory?.height ?? 0)
    const lacks = isBehind || this.#shut !== undefined
    if (lacks || this.#doubt?.code === 'SIGNER_DUPLICATE' || this.#doubt?.code === 'SIGNER_BEHIND') {
      throw new MolochError(
        'SIGNER_CONFLICT',
        'the log lacks what this key has signed, so it cannot be taken for all of it: moloch signer reset --above HEIGHT'
      )
    }
    this.#doubt = undefined
    this.#vouched = this.#memory === undefined
    await this.#keep(() => this.#writeMark())
  }

  async close(): Promise<void> {
    this.#broken ??= 'the signer is closed'
    await this.#mark.close()
    await this.#store.close()
  }

  /** Brings log and mark to one, where what they say of each other settles what was signed. */
  async #agree({ log, mark, assessment }: ReadSigner): Promise<void> {
    if (log.kind === 'empty') await this.#keep(() => this.#store.write([writeFormat(this.#format)]))
    const sound = assessment.kind === 'sound'
    if (sound && log.kind === 'uncounted') await this.#recount()
    if (assessment.kind === 'behind' && mark !== undefined) {
      this.#head = { ...NO_HEAD, sequence: mark.sequence, digest: mark.digest }
      this.#shut = { ...emptyMemory(mark.height), closed: true }
    }
    // A crash came between the two, or there was no mark yet.
    if (sound && mark?.sequence !== this.#head.sequence) await this.#keep(() => this.#writeMark())
  }

  get #format(): SignerFormat {
    return { version: FORMAT_VERSION, ...this.#mine }
  }

  /** A log from before writes were counted: the first is what it has now. */
  async #recount(): Promise<void> {
    const memory = this.#memory
    if (memory !== undefined) await this.save(memory)
    else await this.#keep(() => this.#store.write([writeFormat(this.#format)]))
  }

  #save(memory: SignerMemory, { doubt }: { doubt?: Doubt | undefined }): Promise<void> {
    const writes = writesBetween(this.#memory, memory)
    const hashes = hashesAfter(this.#hashes, writes)
    const { sequence, digest } = this.#head
    const head = { sequence: Math.max(sequence, this.#found.sequence) + 1, digest: digestOf(hashes), previous: digest }
    const format = this.#uncounted ? [writeFormat(this.#format)] : []
    return this.#keep(async () => {
      await this.#store.write([...format, ...writes, writeHead(head)])
      this.#memory = memory
      this.#shut = undefined
      this.#head = head
      this.#hashes = hashes
      this.#doubt = doubt
      this.#uncounted = false
      await this.#writeMark()
    })
  }

  #writeMark(): Promise<void> {
    const memory = this.value
    // In doubt the log may be the older one: what the mark knew is not to be lost with what is added to it.
    const { sequence, digest } = this.#found.sequence > this.#head.sequence ? this.#found : this.#head
    return this.#mark.write({
      ...this.#mine,
      sequence,
      digest,
      height: this.signedUpTo,
      last: memory === undefined ? undefined : lastPosition(memory),
      doubt: this.#doubt,
      vouched: this.#vouched && memory === undefined ? true : undefined
    })
  }

  async #keep(write: () => Promise<void>): Promise<void> {
    if (this.#broken !== undefined) throw new MolochError('SIGNER_BROKEN', `nothing is signed: ${this.#broken}`)
    try {
      await write()
    } catch (error) {
      this.#broken = `its log or its mark could not be written (${messageOf(error)})`
      throw new MolochError('SIGNER_BROKEN', this.#broken, {}, { cause: error })
    }
  }
}
