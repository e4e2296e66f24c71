import type { PeerBook, SourcePeer } from './peers.ts'
import { FAILED_RANGE_MS, rangePause } from './policy/backoff.ts'
import { choosePeer } from './policy/choose-peer.ts'
import { cutBlocks, shareBytes } from './policy/cut.ts'
import { readyLimit } from './policy/ready.ts'
import { FRONT_RANGES, lags, MAX_COPIES } from './policy/second-copy.ts'
import type { BlockWeight } from './policy/weight.ts'
import type { Missing, Range } from './range.ts'
import type { Window } from './window.ts'

/** The first guess of a block's weight, for reservations only; an open request grows its reservation as frames come. */
const GUESSED_BLOCK_BYTES = 4096

export interface AssignInput {
  readonly window: Window
  readonly peers: PeerBook
  readonly weight: BlockWeight
  readonly tip: number
  readonly target: number
  readonly requestsPerPeer: number
  readonly random: () => number
  readonly at: number
  /** Sends the request. */
  request(range: Range, peer: SourcePeer, reserved: number): void
}

/**
 * Hands missing heights to peers, the lowest first, until no peer may be asked or the byte bound is reached. What the
 * lowest missing range may not have (a peer that just failed it) a higher one may.
 */
export function assign(input: AssignInput): void {
  const { window } = input
  const ready = readyBytes(window)
  let front = 0
  for (let i = 0; i < window.ranges.length; i++) {
    const range = window.ranges[i] as Range
    if (range.state.status === 'Downloading' && front++ < FRONT_RANGES) secondCopy(input, range, ready)
    if (range.state.status !== 'AwaitingDownload') continue
    front++
    const peer = choosePeer(candidates(input, range.start, range.state, ready), input.random)
    if (peer === undefined) continue
    const count = Math.min(range.count, size(input, peer, range.start))
    const reserved = reservation(input, range, count, range === window.front)
    if (reserved === undefined) return
    if (count < range.count) window.cut(range, count)
    input.request(range, peer, reserved)
  }
  while (window.next <= input.target) {
    const peer = choosePeer(candidates(input, window.next, undefined, ready), input.random)
    if (peer === undefined) return
    const count = Math.min(input.target - window.next + 1, size(input, peer, window.next))
    const reserved = reservation(input, undefined, count, window.front === undefined)
    if (reserved === undefined) return
    input.request(window.append(count), peer, reserved)
  }
}

function readyBytes(window: Window): number {
  let bytes = 0
  for (const range of window.ranges) {
    if (range.status === 'AwaitingDownload' || range.status === 'Downloading') break
    bytes += range.held
  }
  return bytes
}

/** The peers that may be asked for `start` now, with so many bytes ready from the front up. */
function candidates(input: AssignInput, start: number, failed: Missing | undefined, ready: number): SourcePeer[] {
  const { at, window } = input
  const holders = holdersOf(input.peers, start, input.tip, at)
  const able = holders.filter(
    (peer) => peer.canServe(at, input.requestsPerPeer) && ready < readyLimit(peer, window.bound)
  )
  if (failed?.failedBy === undefined) return able
  // Never the same peer right after it failed: another holder comes first, and if there is none, a pause.
  const alone = holders.every((peer) => peer.id === failed.failedBy)
  const until = failed.failedAt + (alone ? rangePause(failed.attempts) : FAILED_RANGE_MS)
  return at >= until ? able : able.filter((peer) => peer.id !== failed.failedBy)
}

/**
 * Peers that hold `height`. Statuses are seconds apart: when the next height is certified and above all of them, any peer
 * may have it by now, and is worth a question.
 */
export function holdersOf(peers: PeerBook, height: number, tip: number, at: number): SourcePeer[] {
  const known = [...peers].filter((peer) => !peer.barred(at) && peer.earliest <= height)
  const holders = known.filter((peer) => peer.holds(height))
  return holders.length > 0 || height !== tip + 1 ? holders : known
}

/** Blocks to ask `peer` for from `start` on. */
function size(input: AssignInput, peer: SourcePeer, start: number): number {
  const { window, peers, weight } = input
  let missing = Math.max(0, input.target - window.next + 1)
  for (const range of window.ranges) if (range.status === 'AwaitingDownload') missing += range.count
  const slots = Math.max(1, peers.size) * input.requestsPerPeer
  const cut = {
    missing,
    peers: peers.size,
    bytesPerBlock: weight.bytesPerBlock,
    rate: peer.rate,
    answerBytes: peer.answerBytes,
    shareBytes: shareBytes(window.bound, slots, window.frameBytes)
  }
  const count = cutBlocks(cut, window.kind)
  return peer.holds(start) ? Math.min(count, peer.height - start + 1) : count
}

/** Bytes to hold for a request of `count` blocks, or undefined if the bound has no room for it now. */
function reservation(input: AssignInput, range: Range | undefined, count: number, front: boolean): number | undefined {
  const bytesPerBlock = input.weight.bytesPerBlock ?? GUESSED_BLOCK_BYTES
  const least = input.window.roomFor(0, 0, count)
  // With a frame beside the expected bytes, or the last frame of each request would find no room.
  const wanted = input.window.roomFor(0, Math.ceil(count * bytesPerBlock), count)
  const available = input.window.available(range)
  if (wanted <= available) return wanted
  // The front goes on with what there is: nothing above it can be written before it.
  return front && least <= available ? available : undefined
}

/** Asks another peer too for a range near the front whose request lags. */
function secondCopy(input: AssignInput, range: Range, ready: number): void {
  const state = range.state
  if (state.status !== 'Downloading' || state.copies.length >= MAX_COPIES) return
  const other = (peer: SourcePeer): boolean =>
    peer.holds(range.end) && state.copies.every((copy) => copy.peer !== peer.id)
  const others = candidates(input, range.start, state.before, ready).filter(other)
  // A lagging front is no place to try a stranger: with two that are silent it would wait until one is given up.
  const anyProven = holdersOf(input.peers, range.start, input.tip, input.at).some(
    (peer) => peer.answered && other(peer)
  )
  const peer = choosePeer(anyProven ? others.filter((peer) => peer.answered) : others, input.random)
  if (peer === undefined) return
  const bytes = range.count * (input.weight.bytesPerBlock ?? GUESSED_BLOCK_BYTES)
  if (!state.copies.every((copy) => lags(copy, bytes, peer.rate, input.at))) return
  const reserved = reservation(input, range, range.count, false)
  if (reserved !== undefined) input.request(range, peer, reserved)
}
