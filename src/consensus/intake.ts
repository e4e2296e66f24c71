/**
 * What comes in for consensus, by gossip or as an answer to GetVotes: its slot is looked at first, its signature after,
 * and then the machine is told (protocol §8, §10). The verdicts are gossip's: only what nobody should ever have sent is
 * rejected; what is stale, early, known or more than we keep is ignored.
 */
import { type CheckedBlock, maxFinalizedBytes } from '../chain/check-block.ts'
import { type CheapProposal, cheapBlockCheck, foreignBlockFailure } from '../chain/check-proposal.ts'
import { blockHash } from '../chain/domain.ts'
import type { Failure } from '../chain/failures.ts'
import { checkProposal, decodeProposal } from '../chain/proposal.ts'
import { checkVote, checkVoteForm, decodeVote } from '../chain/vote.ts'
import { equalBytes, toHex } from '../codec/bytes.ts'
import type { Header, Vote } from '../codec/generated/chain.ts'
import type { Early } from './early.ts'
import { FinalNews } from './final-news.ts'
import type { Height } from './height.ts'
import { headerOfBlock, heldProposal, heldVote } from './held.ts'
import { ACCEPT, IGNORE, type Judgement, reject } from './judgement.ts'
import { commitFailure, peekFinalized, peekProposal, type SeenFinalized } from './peek.ts'
import { type Clock, type LedgerPort, retryCrashed, type VerifierPort } from './ports.ts'

/**
 * A proposal is forwarded when its deep checks are done, and in any case after this: a block of thousands of events
 * takes longer to check, and would cost that time again at every hop.
 */
const FORWARD_WITHIN_MS = 300
/** Who votes ahead of us is mostly just a little faster: what makes it so is on its way. */
const ASK_SOON_MS = 200

export interface IntakePorts {
  readonly ledger: LedgerPort
  readonly verifier: VerifierPort
  readonly clock: Clock
  readonly early: Early
  /** The height that is being decided; undefined while blocks come by range sync. */
  readonly current: () => Height | undefined
  readonly ask: (delayMs: number) => void
  /** A certified block above the next height was seen. */
  readonly behind: (height: number, from: string) => void
  /** Somebody published a block that is final here, with a good commit. */
  readonly published: (height: number, hash: Uint8Array) => void
  /** Writes a certified block to the ledger; resolves to what is wrong with its links. */
  readonly finalize: (block: CheckedBlock) => Promise<Failure | undefined>
}

export class Intake {
  readonly #ports: IntakePorts
  readonly #news: FinalNews

  constructor(ports: IntakePorts) {
    this.#ports = ports
    this.#news = new FinalNews(ports.ledger)
  }

  vote(payload: Uint8Array): Judgement {
    const { ledger, current } = this.#ports
    const { validators } = ledger.genesis
    let vote: Vote
    try {
      vote = decodeVote(payload)
    } catch {
      return reject('NON_CANONICAL')
    }
    const malformed = checkVoteForm(ledger.genesis, vote)
    if (malformed !== undefined) return reject(malformed.code)
    const height = current()
    if (height === undefined || vote.height < height.height) return IGNORE
    if (vote.height > height.height) return this.#earlyVote(vote)
    const held = heldVote(validators, vote)
    const { book } = height.machine
    const slot = book.votes.classify(held, (hash) => book.isWanted(hash))
    if (slot !== 'new' && slot !== 'conflict') return IGNORE
    const failure = checkVote(ledger.genesis, vote)
    if (failure !== undefined) return reject(failure.code)
    const ahead = vote.round > height.machine.round
    height.addVote(held)
    if (ahead) this.#ports.ask(ASK_SOON_MS)
    return ACCEPT
  }

  #earlyVote(vote: Vote): Judgement {
    const { ledger, early, ask } = this.#ports
    const held = heldVote(ledger.genesis.validators, vote)
    const slot = early.classifyVote(vote.height, held)
    if (slot === 'known' || slot === 'surplus') return IGNORE
    const failure = checkVote(ledger.genesis, vote)
    if (failure !== undefined) return reject(failure.code)
    ask(ASK_SOON_MS)
    if (slot !== 'new') return IGNORE
    early.addVote(held)
    return ACCEPT
  }

  /** A NewBlock from gossip. */
  async block(payload: Uint8Array): Promise<Judgement> {
    const { ledger, early, current, ask } = this.#ports
    const { genesis } = ledger
    const height = current()
    if (height === undefined) return IGNORE
    const seen = peekProposal(genesis.hash, payload)
    if (seen === undefined) return reject('NON_CANONICAL')
    if (seen.height < height.height) return IGNORE
    const next = seen.height > height.height
    const slot = next
      ? early.classifyProposal(seen.height, seen.round, seen.hash)
      : height.machine.book.proposals.classify(seen)
    if (slot !== 'new' && slot !== 'conflict') return IGNORE
    const checked = cheapBlockCheck(genesis, payload)
    if (!checked.ok) return reject(checked.failure.code)
    const { header, blockBytes } = checked
    const proposal = heldProposal(proposalOf(checked))
    if (next) {
      early.addProposal({ proposal, header, blockBytes })
      ask(ASK_SOON_MS)
      return ACCEPT
    }
    // The block first: told of the proposal alone, the machine would have it fetched.
    const validation = height.blocks.add(seen.hash, header, blockBytes)
    height.addProposal(proposal)
    const failure = await this.#within(validation)
    return failure === undefined ? ACCEPT : IGNORE
  }

  /** A Proposal from an answer to GetVotes; its block comes apart. */
  proposal(bytes: Uint8Array): Judgement {
    const { ledger, current } = this.#ports
    const height = current()
    if (height === undefined) return IGNORE
    try {
      const proposal = decodeProposal(bytes)
      if (proposal.height !== height.height) return IGNORE
      const held = heldProposal(proposal)
      const slot = height.machine.book.proposals.classify(held)
      if (slot !== 'new' && slot !== 'conflict') return IGNORE
      const failure = checkProposal(ledger.genesis, proposal, proposal.signature)
      if (failure !== undefined) return reject(failure.code)
      height.addProposal(held)
      return ACCEPT
    } catch {
      return reject('NON_CANONICAL')
    }
  }

  /** A block that was asked for by hash. */
  blockAskedFor(hash: Uint8Array, blockBytes: Uint8Array): Judgement {
    const { ledger, current } = this.#ports
    const { genesis } = ledger
    const height = current()
    if (height === undefined || blockBytes.byteLength > genesis.params.maxBlockBytes) return IGNORE
    let header: Header
    try {
      header = headerOfBlock(blockBytes)
      if (!equalBytes(blockHash(genesis.hash, header), hash)) return reject('BAD_HEIGHT')
    } catch {
      return reject('NON_CANONICAL')
    }
    // Of another height by now, or nobody named it: then it would only fill memory.
    if (header.height !== height.height || !height.machine.book.missing(height.machine.round).includes(toHex(hash))) {
      return IGNORE
    }
    // Its hash is not over all of it: what its proposer never made must not stand for what it did.
    const foreign = foreignBlockFailure(genesis, blockBytes, header, hash)
    if (foreign !== undefined) return reject(foreign.code)
    void height.blocks.add(toHex(hash), header, blockBytes)
    return ACCEPT
  }

  async finalized(payload: Uint8Array, from: string): Promise<Judgement> {
    const { ledger, verifier, current, published } = this.#ports
    const { genesis, tip } = ledger
    if (payload.byteLength > maxFinalizedBytes(genesis)) return reject('TOO_LARGE')
    const seen = peekFinalized(genesis.hash, payload)
    if (seen === undefined) return reject('NON_CANONICAL')
    const { height, hash } = seen
    if (height > tip.height + 1 || (height > tip.height && current() === undefined)) return this.#ahead(seen, from)
    if (height <= tip.height) {
      const ours = height === tip.height ? tip.hash : (await ledger.blockAt(height))?.hash
      if (ours === undefined) return IGNORE
      if (equalBytes(ours, hash)) return this.#finalHere(seen)
    }
    const [result] = await retryCrashed(() => verifier.check([payload]))
    if (result === undefined) return IGNORE
    if (!result.ok) return reject(result.failure.code)
    if (result.block.deferred !== undefined) return reject(result.block.deferred.code)
    if ((await this.#ports.finalize(result.block)) !== undefined) return IGNORE
    // Our own write of it may be under way: it is not to be published a second time.
    published(height, hash)
    // Of copies with other commits that were checked at the same time one goes on.
    return this.#news.told(height, hash) ? ACCEPT : IGNORE
  }

  /** Who decided it by votes has no use for it, but a peer that hears of it by us alone has. */
  async #finalHere(seen: SeenFinalized): Promise<Judgement> {
    const news = await this.#news.judge(seen)
    if (news === 'old') return IGNORE
    if (news !== 'new') return reject(news)
    this.#ports.published(seen.height, seen.hash)
    return ACCEPT
  }

  /** Whether it is certified is all that is looked at: the rest of it is of no use yet. */
  #ahead({ height, hash, commitBytes }: SeenFinalized, from: string): Judgement {
    const failure = commitFailure(this.#ports.ledger.genesis, commitBytes, { height, hash })
    if (failure !== undefined) return reject(failure)
    this.#ports.behind(height, from)
    return IGNORE
  }

  #within(verdict: Promise<Failure | undefined>): Promise<Failure | undefined> {
    return new Promise((resolve, reject) => {
      const cancel = this.#ports.clock.after(FORWARD_WITHIN_MS, () => resolve(undefined))
      verdict.then((failure) => {
        cancel()
        resolve(failure)
      }, reject)
    })
  }
}

function proposalOf({ header, round, validRound, hash, signature }: CheapProposal): Parameters<typeof heldProposal>[0] {
  const fields = { height: header.height, round, blockHash: hash, signature: new Uint8Array(signature) }
  return validRound === undefined ? fields : { ...fields, validRound }
}
