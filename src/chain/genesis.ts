import canonicalizeModule from 'canonicalize'
import { concatBytes, toHex, utf8 } from '../codec/bytes.ts'
import { sha256 } from '../crypto/sha256.ts'
import { MolochError } from '../error.ts'
import { readGenesis } from './genesis-json.ts'
import { DEFAULT_PARAMS, type Params, paramsToJson } from './params.ts'
import { ValidatorSet } from './validators.ts'

/** What every node of a chain agrees on before the first block (protocol §2). */
export interface Genesis {
  readonly chainId: string
  /** Unix ms; block 0's timestamp. */
  readonly timestamp: number
  readonly validators: ValidatorSet
  /** Hex public keys of those who may sign events; undefined: anyone may. */
  readonly actors: ReadonlySet<string> | undefined
  readonly params: Params
  /** SHA-256("moloch/genesis/v1" ‖ json): the chain's identity, in everything signed. */
  readonly hash: Uint8Array<ArrayBuffer>
  /** RFC 8785 canonical JSON of the document as it was given: defaults are not filled in. */
  readonly json: string
}

// A CommonJS module whose declarations describe an ES module: what is imported is the function itself.
const canonicalize = canonicalizeModule as unknown as (value: unknown) => string | undefined

const GENESIS_DOMAIN = utf8('moloch/genesis/v1')

/** @throws MolochError BAD_GENESIS, one line that names the key, its value and what would be accepted */
export function parseGenesis(text: string): Genesis {
  const { document, content } = readGenesis(text)
  const json = canonicalize(document)
  if (json === undefined) throw new MolochError('BAD_GENESIS', 'genesis: has no canonical JSON')
  return {
    chainId: content.chainId,
    timestamp: content.timestamp,
    validators: new ValidatorSet(content.validators),
    actors: content.actors === undefined ? undefined : new Set(content.actors),
    params: content.params,
    hash: sha256(concatBytes(GENESIS_DOMAIN, utf8(json))),
    json
  }
}

export interface GenesisInput {
  readonly chainId: string
  readonly timestamp: number
  readonly validators: readonly { readonly name: string; readonly publicKey: Uint8Array }[]
  readonly actors?: readonly Uint8Array[] | undefined
  readonly params?: Partial<Params> | undefined
}

/**
 * A new genesis with every parameter written out, so that its file says all of what is agreed on.
 * @throws MolochError BAD_GENESIS
 */
export function createGenesis(input: GenesisInput): Genesis {
  const document = {
    chain_id: input.chainId,
    timestamp: input.timestamp,
    validators: input.validators.map((v) => ({ name: v.name, public_key: toHex(v.publicKey) })),
    ...(input.actors === undefined ? {} : { actors: input.actors.map(toHex) }),
    params: paramsToJson({ ...DEFAULT_PARAMS, ...input.params })
  }
  return parseGenesis(JSON.stringify(document))
}

/** `<chain_id>-<first 8 hex of genesis_hash>`: what protocol ids and topics of this chain hold. */
export function scope(genesis: Genesis): string {
  return `${genesis.chainId}-${toHex(genesis.hash).slice(0, 8)}`
}
