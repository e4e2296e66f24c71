/**
 * The durable signer (protocol §8). Every signature is in an fsynced log before anybody sees it, together with the lock
 * and the valid value that it rests on. It refuses whatever conflicts with the log or goes back behind it; the same
 * request gets the same signature again. Only the height outlives a height. Where it is in doubt whether the log has all that
 * this key has signed, it signs nothing before the doubt is settled (see doubt.ts).
 */
import { type ProposalSlot, proposalMessage, type VoteSlot, voteMessage } from '../chain/domain.ts'
import { equalBytes, toHex } from '../codec/bytes.ts'
import { type Proposal, type Vote, VoteType } from '../codec/generated/chain.ts'
import { type KeyPair, sign } from '../crypto/ed25519.ts'
import { MolochError } from '../error.ts'
import type { Doubt } from './doubt.ts'
import { MarkFile } from './mark-file.ts'
import {
  emptyMemory,
  isAfter,
  type KeptPledge,
  lastPosition,
  type Position,
  pruned,
  type SignerMemory,
  stepOf
} from './signer-log.ts'
import type { MarkStore } from './signer-mark.ts'
import { DurableMemory } from './signer-memory.ts'
import { openSignerStore, type SignerStore } from './signer-store.ts'

export type { KeptPledge, SignerMemory } from './signer-log.ts'

export interface SignerOptions {
  /** Directory of the log. */
  readonly path: string
  /** File of the mark, beside the key. */
  readonly markPath: string
  readonly key: KeyPair
  readonly genesisHash: Uint8Array
}

export interface VoteRequest extends VoteSlot {
  readonly type: VoteType
}

/** Something that carries this key's signature. */
export type Signed =
  | { readonly kind: 'vote'; readonly vote: VoteRequest }
  | { readonly kind: 'proposal'; readonly proposal: ProposalSlot }

export class Signer {
  readonly #key: KeyPair
  readonly #genesisHash: Uint8Array
  readonly #memory: DurableMemory
  /** One request at a time: each is judged by what the one before left. */
  #last: Promise<unknown> = Promise.resolve()

  private constructor({ key, genesisHash }: Pick<SignerOptions, 'key' | 'genesisHash'>, memory: DurableMemory) {
    this.#key = key
    this.#genesisHash = genesisHash
    this.#memory = memory
  }

  /** @throws MolochError SIGNER_LOCKED | SIGNER_CORRUPT | SIGNER_OTHER_KEY | SIGNER_OTHER_CHAIN | SIGNER_BROKEN */
  static async open(options: SignerOptions): Promise<Signer> {
    const store = await openSignerStore(options.path)
    try {
      return await Signer.over(store, new MarkFile(options.markPath), options)
    } catch (error) {
      await store.close()
      throw error
    }
  }

  /** A signer over an open store and a mark, which it closes with itself. */
  static async over(store: SignerStore, mark: MarkStore, options: SignerOptions): Promise<Signer> {
    const { path, markPath, key, genesisHash } = options
    const mine = { publicKey: toHex(key.publicKey), genesisHash: toHex(genesisHash) }
    return new Signer(options, await DurableMemory.open(store, mark, mine, { log: path, mark: markPath }))
  }

  get publicKey(): Uint8Array {
    return this.#key.publicKey
  }

  /** For seals, which contradict nothing: a seal says who made a block, a proposal signature offers it. */
  get sealingKey(): KeyPair {
    return this.#key
  }

  /** The lowest height that may be signed. */
  get lowest(): number {
    const memory = this.#memory.value
    if (memory === undefined) return 1
    return memory.closed ? memory.height + 1 : memory.height
  }

  /** The height up to which nothing is signed any more, whatever was signed there; 0: there is none. */
  get closedUpTo(): number {
    const memory = this.#memory.value
    return memory?.closed ? memory.height : 0
  }

  /** The highest height that this key is known to have signed at; 0: none. */
  get signedUpTo(): number {
    return this.#memory.signedUpTo
  }

  /** Nothing was ever signed here, and nobody vouched that it was nowhere else either. */
  get isNew(): boolean {
    return this.#memory.isNew
  }

  /** Why nothing is signed before `raise`: this key may have signed what the log does not have. */
  get doubt(): Doubt | undefined {
    return this.#memory.doubt
  }

  /** What was wrong with log or mark when they were opened; undefined: nothing, or it left a doubt. */
  get settledDoubt(): Doubt | undefined {
    return this.#memory.settled
  }

  /** Whether the log has it, or could have had it: what lies below it is forgotten. */
  knows(signed: Signed): boolean {
    const memory = this.#memory.value
    const { height } = signed.kind === 'vote' ? signed.vote : signed.proposal
    if (memory === undefined || height > memory.height) return false
    if (height < memory.height || memory.closed) return true
    if (signed.kind === 'vote') return memory.votes.some((vote) => sameVote(vote, signed.vote))
    return memory.proposals.some((proposal) => sameProposal(proposal, signed.proposal))
  }

  /** What was signed and kept at `height`; undefined if that was nothing. */
  restore(height: number): SignerMemory | undefined {
    const memory = this.#memory.value
    return memory?.height === height ? memory : undefined
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
        if (sameVote(before, slot)) return before
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
      await this.#memory.save(pruned({ ...entered(bound, slot.round, entry), votes: [...memory.votes, vote] }))
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
        if (sameProposal(before, slot)) return before
        throw conflict(`another proposal was signed at height ${slot.height}, round ${slot.round}`)
      }
      this.#forward(memory, { round: slot.round, step: 'propose' })
      const { height, round, validRound } = slot
      const blockHash = new Uint8Array(slot.blockHash)
      const signature = new Uint8Array(sign(this.#key, proposalMessage(this.#genesisHash, slot)))
      const fields = { height, round, blockHash, signature }
      const proposal: Proposal = validRound === undefined ? fields : { ...fields, validRound }
      const blocks = new Map(memory.blocks).set(toHex(blockHash), new Uint8Array(block))
      await this.#memory.save(
        pruned({ ...entered(memory, round, entry), proposals: [...memory.proposals, proposal], blocks })
      )
      return proposal
    })
  }

  /** Makes a valid value durable that came without a precommit. */
  keepValid(height: number, keep: KeptPledge): Promise<void> {
    return this.#inTurn(async () => {
      const memory = this.#at(height)
      if (memory.valid !== undefined && memory.valid.round >= keep.round) return
      await this.#memory.save(pruned(withPledge(memory, keep, ['valid'])))
    })
  }

  /**
   * From now on nothing is signed at `height` or below, whatever was signed there. It settles a doubt.
   * @throws MolochError SIGNER_BROKEN
   */
  raise(height: number): Promise<void> {
    return this.#inTurn(() => this.#memory.closeUpTo(height))
  }

  /**
   * This key has signed what the log does not have: nothing is signed before `raise`, after a restart neither.
   * @throws MolochError SIGNER_BROKEN
   */
  suspect(doubt: Doubt): Promise<void> {
    const first = this.#memory.suspect(doubt)
    return this.#inTurn(async () => {
      if (first) await this.#memory.saveDoubt()
    })
  }

  /**
   * Somebody vouches that the log has all that this key has signed; if it has nothing: that it has never signed anything.
   * @throws MolochError SIGNER_CONFLICT if it has not; SIGNER_BROKEN
   */
  adopt(): Promise<void> {
    return this.#inTurn(() => this.#memory.adopt())
  }

  /** Resolves when what was asked for so far is signed or refused: from then on `restore` knows of it. */
  async settled(): Promise<void> {
    await this.#last.catch(() => {})
  }

  /** Waits for what is being signed, then gives up the lock. */
  async close(): Promise<void> {
    await this.settled()
    await this.#memory.close()
  }

  #inTurn<T>(request: () => Promise<T>): Promise<T> {
    const turn = this.#last
      .catch(() => {})
      .then(() => {
        const { broken } = this.#memory
        if (broken !== undefined) throw new MolochError('SIGNER_BROKEN', `nothing is signed: ${broken}`)
        return request()
      })
    this.#last = turn
    return turn
  }

  #at(height: number): SignerMemory {
    if (this.doubt !== undefined) throw new MolochError('SIGNER_DOUBTED', `refused to sign: ${this.doubt.message}`)
    const memory = this.#memory.value
    if (memory?.closed && height === memory.height) throw conflict(`nothing is signed at height ${height} or below`)
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
}

function sameVote(a: VoteRequest, b: VoteRequest): boolean {
  return a.type === b.type && a.round === b.round && equalBytes(a.blockHash, b.blockHash)
}

function sameProposal(a: ProposalSlot, b: ProposalSlot): boolean {
  return a.round === b.round && a.validRound === b.validRound && equalBytes(a.blockHash, b.blockHash)
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
