/**
 * Hello (protocol §9): both ends of a connection open one. The Hello shows chain, genesis and version; the Ack, signed
 * over both nonces and both peer ids, proves to the initiator that the responder holds its chain key now and here.
 */
import { randomBytes } from 'node:crypto'
import { helloMessage, ZERO_HASH } from '../../chain/domain.ts'
import type { Genesis } from '../../chain/genesis.ts'
import { equalBytes, toHex } from '../../codec/bytes.ts'
import type { Shape } from '../../codec/field-count.ts'
import { Hello, HelloAck, Mode, type Refusal } from '../../codec/generated/sync.ts'
import { type KeyPair, PUBLIC_KEY_BYTES, SIGNATURE_BYTES, sign, verify } from '../../crypto/ed25519.ts'
import { MolochError } from '../../error.ts'
import { networkError } from '../errors.ts'
import type { Head, NodeMode } from '../types.ts'
import { assertBytes, assertHeight, decoded, type Wire } from './messages.ts'
import { REFUSABLE, refusal, throwIfRefused } from './refusal.ts'

export const HELLO_PROTOCOL = '/moloch/hello/1'
/**
 * major · 1000 + minor; peers of another major are refused. 1: a nil vote was signed as one for 32 zero bytes. 2.1: Hello
 * tells of the instance.
 */
export const PROTOCOL_VERSION = 2001
const NONCE_BYTES = 32
const INSTANCE_BYTES = 16

const FIELDS: Shape = {
  1: 'u32',
  2: 'bytes',
  3: 'bytes',
  4: 'u64',
  5: 'bytes',
  6: 'u64',
  7: 'u32',
  8: 'bytes',
  9: 'bytes',
  10: 'bytes',
  12: 'bytes'
}
export const HELLO: Wire<Hello> = { name: 'hello', codec: Hello, shape: { ...FIELDS, 13: 'bytes' } }
export const HELLO_ACK: Wire<HelloAck> = {
  name: 'hello ack',
  codec: HelloAck,
  shape: { ...FIELDS, 11: 'bytes', ...REFUSABLE }
}

/** Who we are, to whom. Peer ids are raw multihashes as the secured connection has them. */
export interface Identity {
  readonly genesis: Genesis
  readonly chainKey: KeyPair
  readonly mode: NodeMode
  readonly peerId: Uint8Array
  /** Of this run of the process; a copy of the peer key has another one. */
  readonly instance: Uint8Array
}

/** What a peer said of itself in a Hello or an Ack that passed. */
export interface Greeting {
  /** In an Ack: proven. In a Hello: only claimed. */
  readonly chainKey: Uint8Array
  readonly mode: NodeMode
  readonly headHeight: number
  readonly earliestHeight: number
  readonly nonce: Uint8Array
  /** Hex; '' if it does not say. */
  readonly instance: string
  /** Of a Hello: another process has shown it our peer id. */
  readonly seesOther: boolean
}

type Bytes = Uint8Array<ArrayBuffer>

export function newNonce(): Bytes {
  return new Uint8Array(randomBytes(NONCE_BYTES))
}

export function newInstance(): Bytes {
  return new Uint8Array(randomBytes(INSTANCE_BYTES))
}

/**
 * The Hello that we open with.
 * @param other the instance, hex, of another process that has shown us the peer's id; '': there is none
 */
export function makeHello(self: Identity, remote: Uint8Array, head: Head, nonce: Bytes, other = ''): Bytes {
  const message = helloMessage(self.genesis.hash, {
    role: 1,
    initiatorNonce: nonce,
    responderNonce: ZERO_HASH,
    initiatorPeerId: self.peerId,
    responderPeerId: remote
  })
  const signature = bytes(sign(self.chainKey, message))
  return Hello.encode({ ...common(self, head), nonce, signature, otherInstance: bytes(Buffer.from(other, 'hex')) })
}

export type HelloResult =
  | { readonly greeting: Greeting }
  | { readonly refused: Refusal; readonly requestNonce: Uint8Array }

/** Checks a Hello: version, chain, genesis, signature. @throws MolochError BAD_FRAME for what is none */
export function checkHello(self: Identity, remote: Uint8Array, frame: Uint8Array): HelloResult {
  const hello = decoded(HELLO, frame)
  assertForm(hello)
  const refused =
    mismatch(self, hello) ??
    (verify(
      hello.publicKey,
      helloMessage(self.genesis.hash, {
        role: 1,
        initiatorNonce: hello.nonce,
        responderNonce: ZERO_HASH,
        initiatorPeerId: remote,
        responderPeerId: self.peerId
      }),
      hello.signature
    )
      ? undefined
      : refusal('BAD_SIGNATURE', 'the signature of the hello does not verify'))
  return refused === undefined ? { greeting: greeting(hello) } : { refused, requestNonce: hello.nonce }
}

/** The answer to a Hello that passed. */
export function makeAck(self: Identity, remote: Uint8Array, head: Head, requestNonce: Uint8Array): Bytes {
  const nonce = newNonce()
  const message = helloMessage(self.genesis.hash, {
    role: 2,
    initiatorNonce: requestNonce,
    responderNonce: nonce,
    initiatorPeerId: remote,
    responderPeerId: self.peerId
  })
  return HelloAck.encode({
    ...common(self, head),
    nonce,
    requestNonce: bytes(requestNonce),
    signature: bytes(sign(self.chainKey, message))
  })
}

/** The answer to a Hello that did not: it says who we are, so that both logs can show both sides. */
export function makeRefusedAck(self: Identity, head: Head, requestNonce: Uint8Array, refused: Refusal): Bytes {
  const unsigned = { nonce: new Uint8Array(0), signature: new Uint8Array(0) }
  return HelloAck.encode({ ...common(self, head), ...unsigned, requestNonce: bytes(requestNonce), refusal: refused })
}

/**
 * Checks the Ack to the Hello with our `nonce`.
 * @throws MolochError the refusal's code; WRONG_VERSION | WRONG_CHAIN | WRONG_GENESIS | BAD_SIGNATURE | BAD_FRAME
 */
export function checkAck(
  self: Identity,
  remote: Uint8Array,
  nonce: Uint8Array,
  frame: Uint8Array,
  peer: string
): Greeting {
  const ack = decoded(HELLO_ACK, frame)
  throwIfRefused(ack.refusal, 'hello', peer)
  assertForm(ack)
  const wrong = mismatch(self, ack)
  if (wrong !== undefined) throw new MolochError(wrong.code, wrong.message, { peer })
  const message = helloMessage(self.genesis.hash, {
    role: 2,
    initiatorNonce: nonce,
    responderNonce: ack.nonce,
    initiatorPeerId: self.peerId,
    responderPeerId: remote
  })
  // A replayed Ack answers another nonce; one that only says it answers ours does not verify.
  if (!equalBytes(ack.requestNonce, nonce) || !verify(ack.publicKey, message, ack.signature)) {
    throw networkError('BAD_SIGNATURE', 'the signature of the hello ack does not verify for our nonce', { peer })
  }
  return greeting(ack)
}

type Fields = Omit<Hello, 'nonce' | 'signature' | 'otherInstance'>

function common(self: Identity, head: Head): Fields {
  return {
    version: PROTOCOL_VERSION,
    chainId: self.genesis.chainId,
    genesisHash: self.genesis.hash,
    headHeight: head.height,
    headHash: bytes(head.hash),
    earliestHeight: head.earliestHeight,
    mode: Mode[self.mode],
    publicKey: bytes(self.chainKey.publicKey),
    instance: bytes(self.instance)
  }
}

/** Why a peer is refused, by what it says of itself. Said from our side: "this node …". */
function mismatch(self: Identity, theirs: Fields): Refusal | undefined {
  const major = Math.floor(theirs.version / 1000)
  const ours = Math.floor(PROTOCOL_VERSION / 1000)
  if (major !== ours) {
    return refusal('WRONG_VERSION', `this node speaks protocol ${ours}, the peer ${major}`)
  }
  if (theirs.chainId !== self.genesis.chainId) {
    return refusal(
      'WRONG_CHAIN',
      `this node is on chain ${self.genesis.chainId}, the peer on ${theirs.chainId.slice(0, 32)}`
    )
  }
  if (!equalBytes(theirs.genesisHash, self.genesis.hash)) {
    const [here, there] = [self.genesis.hash, theirs.genesisHash].map((hash) => toHex(hash).slice(0, 16))
    return refusal(
      'WRONG_GENESIS',
      `this node has genesis ${here}…, the peer ${there}… of chain ${self.genesis.chainId}`
    )
  }
  return undefined
}

function assertForm(message: Hello | HelloAck): void {
  assertBytes('hello genesis_hash', message.genesisHash)
  assertBytes('hello head_hash', message.headHash)
  assertBytes('hello public_key', message.publicKey, PUBLIC_KEY_BYTES)
  assertBytes('hello nonce', message.nonce, NONCE_BYTES)
  assertBytes('hello signature', message.signature, SIGNATURE_BYTES)
  assertInstance(message.instance)
  if ('otherInstance' in message) assertInstance(message.otherInstance)
  assertHeight('hello head_height', message.headHeight)
  assertHeight('hello earliest_height', message.earliestHeight)
  if (message.mode === Mode.MODE_UNSPECIFIED) throw networkError('BAD_FRAME', 'hello without a mode')
}

/** One that says nothing of it may be of an earlier version. */
function assertInstance(instance: Uint8Array): void {
  if (instance.byteLength > 0) assertBytes('hello instance', instance, INSTANCE_BYTES)
}

function greeting(message: Hello | HelloAck): Greeting {
  return {
    // Copies: what was decoded are views that would keep the frame.
    chainKey: message.publicKey.slice(),
    nonce: message.nonce.slice(),
    mode: message.mode as Exclude<Mode, Mode.MODE_UNSPECIFIED>,
    headHeight: message.headHeight,
    earliestHeight: message.earliestHeight,
    instance: toHex(message.instance),
    seesOther: 'otherInstance' in message && message.otherInstance.byteLength > 0
  }
}

/** Only the declared kind of buffer differs: protons' types want Uint8Array<ArrayBuffer>. */
function bytes(view: Uint8Array): Bytes {
  return view as Bytes
}
