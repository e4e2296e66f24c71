/**
 * The durable signer (protocol §8). Every signature is in an fsynced log before anybody sees it, together with the lock
 * and the valid value that it rests on. It refuses whatever conflicts with the log or goes back behind it; the same
 * request gets the same signature again. Only the high-water mark outlives a height.
 */
import { type ProposalSlot, proposalMessage, type VoteSlot, voteMessage } from '../chain/domain.ts'
import { equalBytes, toHex } from '../codec/bytes.ts'
import { type Proposal, type Vote, VoteType } from '../codec/generated/chain.ts'
import { type KeyPair, sign } from '../crypto/ed25519.ts'
import { MolochError, messageOf } from '../error.ts'
import {
  emptyMemory,
  FORMAT_KEY,
  isAfter,
  type KeptPledge,
  lastPosition,
  type Position,
  pruned,
  readFormat,
  readMemory,
  type SignerMemory,
  stepOf,
  writeFormat,
  writesBetween
} from './signer-log.ts'
import { missing, openSignerStore, type SignerStore } from './signer-store.ts'

export type { KeptPledge, SignerMemory } from './signer-log.ts'

export type SignerErrorCode =
  /** Another process has the log open. */
  | 'SIGNER_LOCKED'
  /** No log, although the chain is not empty. */
  | 'SIGNER_MISSING'
  /** The log does not open or makes no sense. */
  | 'SIGNER_CORRUPT'
  /** The log is of another key or another chain. */
  | 'SIGNER_OTHER_KEY'
  | 'SIGNER_OTHER_CHAIN'
  /** The request contradicts the log, or lies before what was signed last. */
  | 'SIGNER_CONFLICT'
  /** A write failed: what the log holds is not known before it is opened again. */
  | 'SIGNER_BROKEN'

const FORMAT_VERSION = 1

export interface SignerOptions {
  /** Directory of the log. */
  readonly path: string
  readonly key: KeyPair
  readonly genesisHash: Uint8Array
  /** Of the finalized tip: above 0 the log has to exist. */
  readonly chainHeight: number
  /** Begin a new log although the chain has blocks: the operator vouches that the key signed nothing newer. */
  readonly allowMissing?: boolean
}

export interface VoteRequest extends VoteSlot {
  readonly type: VoteType
}

export class Signer {
  readonly #store: SignerStore
  readonly #key: KeyPair
  readonly #genesisHash: Uint8Array
  #memory: SignerMemory | undefined
  #broken: string | undefined
  /** One request at a time: each is judged by what the one before left. */
  #last: Promise<unknown> = Promise.resolve()

  private constructor(store: SignerStore, key: KeyPair, genesisHash: Uint8Array, memory: SignerMemory | undefined) {
    this.#store = store
    this.#key = key
    this.#genesisHash = genesisHash
    this.#memory = memory
  }

  /** @throws MolochError with a SignerErrorCode */
  static async open(options: SignerOptions): Promise<Signer> {
    const mayCreate = options.chainHeight === 0 || options.allowMissing === true
    const store = await openSignerStore(options.path, mayCreate)
    try {
      return await Signer.over(store, { ...options, mayCreate })
    } catch (error) {
      await store.close()
      throw error
    }
  }

  /** A signer over an open store, which it closes with itself. */
  static async over(
    store: SignerStore,
    options: Pick<SignerOptions, 'path' | 'key' | 'genesisHash'> & { readonly mayCreate: boolean }
  ): Promise<Signer> {
    const { path, key, genesisHash } = options
    const entries = await store.entries()
    const format = entries.find(([name]) => name === FORMAT_KEY)
    const mine = { version: FORMAT_VERSION, publicKey: toHex(key.publicKey), genesisHash: toHex(genesisHash) }
    if (format === undefined) {
      if (!options.mayCreate) throw missing(path)
      if (entries.length > 0) throw corrupt(path, 'it has no format entry')
      await store.write([writeFormat(mine)])
      return new Signer(store, key, genesisHash, undefined)
    }
    try {
      const found = readFormat(format[1])
      if (found.version !== FORMAT_VERSION) throw new Error(`its format is ${found.version}, not ${FORMAT_VERSION}`)
      if (found.publicKey !== mine.publicKey) throw other(path, 'SIGNER_OTHER_KEY', 'key', found.publicKey)
      if (found.genesisHash !== mine.genesisHash) throw other(path, 'SIGNER_OTHER_CHAIN', 'genesis', found.genesisHash)
      return new Signer(store, key, genesisHash, readMemory(entries))
    } catch (error) {
      throw error instanceof MolochError ? error : corrupt(path, messageOf(error))
    }
  }

  get publicKey(): Uint8Array {
    return this.#key.publicKey
  }

  /** For seals, which contradict nothing: a seal says who made a block, a proposal signature offers it. */
  get sealingKey(): KeyPair {
    return this.#key
  }

  /** The high-water mark: nothing is signed below it. 0 = nothing signed yet. */
  get height(): number {
    return this.#memory?.height ?? 0
  }

  /** What was signed and kept at `height`; undefined if that was nothing. */
  restore(height: number): SignerMemory | undefined {
    return this.#memory?.height === height ? this.#memory : undefined
  }

  /**
   * Signs a vote; resolves when it is durable, and so are `keep` as locked and valid value, which goes with a precommit
   * of a block, and `entry`, the votes that led into its round.
   * @throws MolochError SIGNER_CONFLICT | SIGNER_BROKEN
   */
  signVote(slot: VoteRequest, keep?: KeptPledge, entry: readonly Vote[] = []): Promise<Vote> {
    return this.#inTurn(async () => {
      const memory = this.#at(slot.height)
      const isPledge = slot.type === VoteType.PRECOMMIT && slot.blockHash.byteLength > 0
      if (isPledge !== (keep !== undefined) || (keep !== undefined && !agrees(slot, keep))) {
        throw conflict('a precommit of a block is signed with the lock on it, and nothing else is')
      }
      const before = memory.votes.find((vote) => vote.type === slot.type && vote.round === slot.round)
      if (before !== undefined) {
        if (equalBytes(before.blockHash, slot.blockHash)) return before
        throw conflict(`another ${slot.type} was signed at height ${slot.height}, round ${slot.round}`)
      }
      this.#forward(memory, { round: slot.round, step: stepOf(slot.type) })
      const vote: Vote = {
        type: slot.type,
        height: slot.height,
        round: slot.round,
        blockHash: new Uint8Array(slot.blockHash),
        validator: new Uint8Array(this.#key.publicKey),
        signature: new Uint8Array(sign(this.#key, voteMessage(this.#genesisHash, slot)))
      }
      const bound = keep === undefined ? memory : withPledge(memory, keep, ['locked', 'valid'])
      await this.#save({ ...entered(bound, slot.round, entry), votes: [...memory.votes, vote] })
      return vote
    })
  }

  /**
   * Signs a proposal; resolves when it, its block and the votes that led into its round are durable.
   * @throws MolochError SIGNER_CONFLICT | SIGNER_BROKEN
   */
  signProposal(slot: ProposalSlot, block: Uint8Array, entry: readonly Vote[] = []): Promise<Proposal> {
    return this.#inTurn(async () => {
      const memory = this.#at(slot.height)
      const before = memory.proposals.find((proposal) => proposal.round === slot.round)
      if (before !== undefined) {
        if (before.validRound === slot.validRound && equalBytes(before.blockHash, slot.blockHash)) return before
        throw conflict(`another proposal was signed at height ${slot.height}, round ${slot.round}`)
      }
      this.#forward(memory, { round: slot.round, step: 'propose' })
      const { height, round, validRound } = slot
      const blockHash = new Uint8Array(slot.blockHash)
      const signature = new Uint8Array(sign(this.#key, proposalMessage(this.#genesisHash, slot)))
      const fields = { height, round, blockHash, signature }
      const proposal: Proposal = validRound === undefined ? fields : { ...fields, validRound }
      const blocks = new Map(memory.blocks).set(toHex(blockHash), new Uint8Array(block))
      await this.#save({ ...entered(memory, round, entry), proposals: [...memory.proposals, proposal], blocks })
      return proposal
    })
  }

  /** Makes a valid value durable that came without a precommit. */
  keepValid(height: number, keep: KeptPledge): Promise<void> {
    return this.#inTurn(async () => {
      const memory = this.#at(height)
      if (memory.valid !== undefined && memory.valid.round >= keep.round) return
      await this.#save(withPledge(memory, keep, ['valid']))
    })
  }

  /** Resolves when what was asked for so far is signed or refused: from then on `restore` knows of it. */
  async settled(): Promise<void> {
    await this.#last.catch(() => {})
  }

  /** Waits for what is being signed, then gives up the lock. */
  async close(): Promise<void> {
    await this.settled()
    this.#broken ??= 'the signer is closed'
    await this.#store.close()
  }

  #inTurn<T>(request: () => Promise<T>): Promise<T> {
    const turn = this.#last
      .catch(() => {})
      .then(() => {
        if (this.#broken !== undefined) throw new MolochError('SIGNER_BROKEN', `nothing is signed: ${this.#broken}`)
        return request()
      })
    this.#last = turn
    return turn
  }

  #at(height: number): SignerMemory {
    const memory = this.#memory
    if (memory !== undefined && height < memory.height) {
      throw conflict(`height ${height} lies before ${memory.height}, at which something was signed`)
    }
    return memory?.height === height ? memory : emptyMemory(height)
  }

  /** A vote in an earlier round or step could go against a lock that came later. */
  #forward(memory: SignerMemory, next: Position): void {
    const last = lastPosition(memory)
    if (last === undefined || isAfter(next, last)) return
    const at = `round ${last.round}, ${last.step}`
    throw conflict(`round ${next.round}, ${next.step} lies before ${at} at height ${memory.height}, signed already`)
  }

  async #save(memory: SignerMemory): Promise<void> {
    const next = pruned(memory)
    try {
      await this.#store.write(writesBetween(this.#memory, next))
    } catch (error) {
      this.#broken = `its log could not be written (${messageOf(error)})`
      throw new MolochError('SIGNER_BROKEN', this.#broken, {}, { cause: error })
    }
    this.#memory = next
  }
}

function agrees(slot: VoteRequest, keep: KeptPledge): boolean {
  return keep.round === slot.round && keep.hash === toHex(slot.blockHash)
}

/** The first signature in a round brings what led there; later ones change nothing of it. */
function entered(memory: SignerMemory, round: number, votes: readonly Vote[]): SignerMemory {
  return round === 0 || memory.entry?.round === round ? memory : { ...memory, entry: { round, votes } }
}

function withPledge(memory: SignerMemory, keep: KeptPledge, names: readonly ('locked' | 'valid')[]): SignerMemory {
  const { hash, round, prevotes, block } = keep
  const pledge = { hash, round }
  return {
    ...memory,
    ...Object.fromEntries(names.map((name) => [name, pledge])),
    prevotes: new Map(memory.prevotes).set(round, prevotes),
    blocks: new Map(memory.blocks).set(hash, new Uint8Array(block))
  }
}

function conflict(reason: string): MolochError {
  return new MolochError('SIGNER_CONFLICT', `refused to sign: ${reason}`)
}

function corrupt(path: string, reason: string): MolochError {
  return new MolochError('SIGNER_CORRUPT', `the signer's log ${path} makes no sense: ${reason}`, { path })
}

function other(path: string, code: SignerErrorCode, what: string, found: string | undefined): MolochError {
  return new MolochError(code, `the signer's log ${path} is of another ${what} (${found})`, { path })
}
