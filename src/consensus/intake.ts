/**
 * What comes in for consensus. Gossip's messages are checked in full before they come here (protocol §9); what is stale,
 * early, known or more than we keep is ignored. Of an answer to GetVotes whether it is of use is looked at first, and its
 * signatures after, since answers repeat much; only what no honest peer can have held is rejected.
 */
import type { CheckedBlock } from '../chain/check-block.ts'
import { type CheapProposal, foreignBlockFailure } from '../chain/check-proposal.ts'
import { blockHash } from '../chain/domain.ts'
import type { Failure } from '../chain/failures.ts'
import type { FinalMessage } from '../chain/gossip-checks.ts'
import type { Taken } from '../chain/gossip-rules.ts'
import { checkProposal, decodeProposal } from '../chain/proposal.ts'
import { checkVote, checkVoteForm, decodeVote } from '../chain/vote.ts'
import { equalBytes, toHex } from '../codec/bytes.ts'
import type { Header, Proposal, Vote } from '../codec/generated/chain.ts'
import type { Early } from './early.ts'
import type { Height } from './height.ts'
import { headerOfBlock, heldProposal, heldVote } from './held.ts'
import { ACCEPT, IGNORE, type Judgement, reject } from './judgement.ts'
import { ASK_SOON_MS } from './pace.ts'
import type { Clock, LedgerPort } from './ports.ts'
import type { Signed } from './signer.ts'
import { Told } from './told.ts'
import type { HeldVote, Slot } from './types.ts'

/**
 * A proposal is forwarded when its deep checks are done, and in any case after this: a block of thousands of events
 * takes longer to check, and would cost that time again at every hop.
 */
const FORWARD_WITHIN_MS = 300

export interface IntakePorts {
  readonly ledger: LedgerPort
  readonly clock: Clock
  readonly early: Early
  /** The height that is being decided; undefined while blocks come by range sync. */
  readonly current: () => Height | undefined
  readonly ask: (delayMs: number) => void
  /** A certified block above the next height was seen. */
  readonly behind: (height: number, from: string) => void
  /** Somebody published a block that is final here, with a good commit. */
  readonly published: (height: number, hash: Uint8Array) => void
  /** Something of a validator, whose signature verified. */
  readonly signed: (validator: Uint8Array, what: Signed) => void
  /** Writes a certified block to the ledger; resolves to what is wrong with its links. */
  readonly finalize: (block: CheckedBlock) => Promise<Failure | undefined>
}

export class Intake {
  readonly #ports: IntakePorts
  /** The final blocks that were told on. */
  readonly #told: Told
  /** Who was seen above the height that is decided. */
  #above = { height: 0, validators: new Set<number>() }

  constructor(ports: IntakePorts) {
    this.#ports = ports
    this.#told = new Told(() => ports.ledger.tip.height)
  }

  /** A checked Vote. */
  takeVote(vote: Vote): Taken {
    const { current, early, ledger, signed } = this.#ports
    signed(vote.validator, { kind: 'vote', vote })
    const height = current()
    if (height === undefined || vote.height < height.height) return 'ignore'
    const held = heldVote(ledger.genesis.validators, vote)
    const slot = this.#slot(height, vote.height, held)
    if (vote.height > height.height) {
      if (slot === 'known' || slot === 'surplus') return 'ignore'
      this.#ahead(height, held.validator)
      if (slot !== 'new') return 'ignore'
      early.addVote(held)
      return 'accept'
    }
    if (slot !== 'new' && slot !== 'conflict') return 'ignore'
    height.addVote(held)
    return 'accept'
  }

  /**
   * A validator has signed for a height above ours. Peers are asked once a height for each, however much it signs; after that
   * the machine's own time says when.
   */
  #ahead({ height }: Height, validator: number): void {
    if (this.#above.height !== height) this.#above = { height, validators: new Set() }
    if (this.#above.validators.has(validator)) return
    this.#above.validators.add(validator)
    this.#ports.ask(ASK_SOON_MS)
  }

  #slot(height: Height, at: number, held: HeldVote): Slot {
    if (at > height.height) return this.#ports.early.classifyVote(at, held)
    const { book } = height.machine
    return book.votes.classify(held, (hash) => book.isWanted(hash))
  }

  /** A checked NewBlock: its form, its seal and its proposer's signature. */
  async takeBlock(checked: CheapProposal): Promise<Taken> {
    const { early, current, ledger } = this.#ports
    const { header, blockBytes } = checked
    const proposal = heldProposal(proposalOf(checked))
    this.#signedProposal(proposal.proposal)
    const height = current()
    if (height === undefined || header.height < height.height) return 'ignore'
    const next = header.height > height.height
    const slot = next
      ? early.classifyProposal(header.height, proposal.round, proposal.hash)
      : height.machine.book.proposals.classify(proposal)
    // Its proposal may have come by itself, as an answer.
    const blockAlone = !next && slot === 'known' && !height.machine.book.holds(proposal.hash)
    if (slot !== 'new' && slot !== 'conflict' && !blockAlone) return 'ignore'
    if (next) {
      early.addProposal({ proposal, header, blockBytes })
      this.#ahead(height, ledger.genesis.validators.proposer(header.height, proposal.round))
      return 'accept'
    }
    const validation = height.addBlock(proposal.hash, header, blockBytes)
    height.addProposal(proposal)
    const failure = await this.#within(validation)
    return failure === undefined ? 'accept' : 'ignore'
  }

  /** A Vote from an answer to GetVotes. */
  vote(bytes: Uint8Array): Judgement {
    const { ledger, current } = this.#ports
    let vote: Vote
    try {
      vote = decodeVote(bytes)
    } catch {
      return reject('NON_CANONICAL')
    }
    const malformed = checkVoteForm(ledger.genesis, vote)
    if (malformed !== undefined) return reject(malformed.code)
    const height = current()
    if (height === undefined || vote.height < height.height) return IGNORE
    const slot = this.#slot(height, vote.height, heldVote(ledger.genesis.validators, vote))
    if (slot !== 'new' && slot !== 'conflict') return IGNORE
    const failure = checkVote(ledger.genesis, vote)
    return failure === undefined ? { verdict: this.takeVote(vote) } : reject(failure.code)
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
      this.#signedProposal(held.proposal)
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
    if (header.height !== height.height || !height.machine.lack().blocks.includes(toHex(hash))) {
      return IGNORE
    }
    // Its hash is not over all of it: what its proposer never made must not stand for what it did.
    const foreign = foreignBlockFailure(genesis, blockBytes, header, hash)
    if (foreign !== undefined) return reject(foreign.code)
    void height.addBlock(toHex(hash), header, blockBytes)
    return ACCEPT
  }

  /** A certified block of the `finalized` topic, checked in full. */
  async takeFinal(message: FinalMessage, from: string): Promise<Taken> {
    const { height, hash } = message
    if (!(await this.#becomesFinal(message, from)) || !this.#told.isNews(height, hash)) return 'ignore'
    // Who decided it by votes has no use for it, but a peer that hears of it by us alone has; and our own write of it may be
    // under way: it is not to be published a second time.
    this.#ports.published(height, hash)
    // Of copies with other commits that were checked at the same time one goes on.
    return this.#told.add(height, hash) ? 'accept' : 'ignore'
  }

  /** One that a peer answered with, checked in full: that nobody has published, and the topic's copy is still to go on. */
  async finalAskedFor(message: FinalMessage, from: string): Promise<void> {
    await this.#becomesFinal(message, from)
  }

  /** @returns whether it is final here */
  async #becomesFinal({ height, hash, block }: FinalMessage, from: string): Promise<boolean> {
    const { behind, current, finalize, ledger } = this.#ports
    const { tip } = ledger
    if (height > tip.height + 1 || (height > tip.height && current() === undefined)) {
      behind(height, from)
      return false
    }
    const ours = await this.#hashAt(height)
    // Pruned: there is nothing to compare it with.
    if (height <= tip.height && ours === undefined) return false
    if (ours !== undefined && equalBytes(ours, hash)) return true
    return block !== undefined && (await finalize(block)) === undefined
  }

  async #hashAt(height: number): Promise<Uint8Array | undefined> {
    const { ledger } = this.#ports
    if (height > ledger.tip.height) return undefined
    return height === ledger.tip.height ? ledger.tip.hash : (await ledger.blockAt(height))?.hash
  }

  #signedProposal(proposal: Proposal): void {
    const { validators } = this.#ports.ledger.genesis
    const validator = validators.keys[validators.proposer(proposal.height, proposal.round)]
    if (validator !== undefined) this.#ports.signed(validator, { kind: 'proposal', proposal })
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
