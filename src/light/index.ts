/**
 * The library face: `import { LightClient, verifyEventProof } from 'moloch-node/light'`. Runs in Node and, bundled with
 * the `browser` field of package.json, where there is none; the rest of the node is not needed.
 */
export { createGenesis, type Genesis, parseGenesis } from '../chain/genesis.ts'
export type { TrustedTip } from '../chain/header-chain.ts'
export { fromHex, toHex } from '../codec/bytes.ts'
export type { Header } from '../codec/generated/chain.ts'
export type { EventBody, SignedEvent } from '../codec/generated/event.ts'
export { CompactProof, ConsistencyProof, HeaderProof, HistoryProof } from '../codec/generated/proof.ts'
export { GetProof, Proof } from '../codec/generated/sync.ts'
export { hasCode, MolochError } from '../error.ts'
export { LightClient, type LightClientOptions } from './light-client.ts'
export type { HeadersAnswer, LightSource } from './source.ts'
export type { Anchor } from './verify/anchor.ts'
export { type ConsistencyProofResult, verifyConsistencyProof } from './verify/consistency-proof.ts'
export {
  type EventProofOptions,
  type EventProofResult,
  type ProvenEvent,
  verifyEventProof
} from './verify/event-proof.ts'
export {
  type HeaderProofOptions,
  type HeaderProofResult,
  type ProvenHeader,
  verifyHeaderProof
} from './verify/header-proof.ts'
export { type HistoryKey, historyKey, type NamedKey } from './verify/history-key.ts'
export { type HistoryProofResult, type ProvenHistory, verifyHistoryProof } from './verify/history-proof.ts'
export { MAX_HISTORY_CHARS, type ProofFile, parseProofFile } from './verify/parse-proof.ts'
export { type AnchoredProof, type HeaderJson, type ProofJson, proofToJson } from './verify/proof-json.ts'
export { type CheckedStep, PROOF_CODES, type ProofCode, type ProofFailure, type ProofStep } from './verify/result.ts'
export { type FileResult, type TrustedBlock, type VerifyFileOptions, verifyProofFile } from './verify/verify-file.ts'
