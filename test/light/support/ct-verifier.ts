import { createHash } from 'node:crypto'

/**
 * A Certificate Transparency verifier as log clients have it (the algorithm of the Go packages of transparency-dev:
 * a proof is cut into an inner part and a border), on nothing but Node's hash: it shares no code with src/.
 */
type Bytes = Uint8Array

export function ctLeafHash(data: Bytes): Bytes {
  return createHash('sha256').update(Uint8Array.of(0)).update(data).digest()
}

function children(left: Bytes, right: Bytes): Bytes {
  return createHash('sha256').update(Uint8Array.of(1)).update(left).update(right).digest()
}

/** The root that an audit path leads to from a leaf, or undefined for a path of the wrong length. */
export function ctRoot(
  leafData: Bytes,
  leafIndex: number,
  treeSize: number,
  auditPath: readonly Bytes[]
): Bytes | undefined {
  const { inner, border } = cut(BigInt(leafIndex), BigInt(treeSize))
  if (leafIndex >= treeSize || auditPath.length !== inner + border) return undefined
  const hash = chainInner(ctLeafHash(leafData), auditPath.slice(0, inner), BigInt(leafIndex))
  return chainBorder(hash, auditPath.slice(inner))
}

/** The two roots that a consistency proof leads to, for 0 < first < second; undefined for one of the wrong length. */
export function ctConsistencyRoots(
  first: number,
  second: number,
  firstRoot: Bytes,
  proof: readonly Bytes[]
): [Bytes, Bytes] | undefined {
  const parts = cut(BigInt(first - 1), BigInt(second))
  let shift = 0
  while ((first / 2 ** shift) % 2 === 0) shift++
  const inner = parts.inner - shift
  const perfect = first === 2 ** shift
  const seed = perfect ? firstRoot : proof[0]
  const rest = perfect ? proof : proof.slice(1)
  if (seed === undefined || rest.length !== inner + parts.border) return undefined
  const mask = BigInt(first - 1) >> BigInt(shift)
  const low = rest.slice(0, inner)
  const high = rest.slice(inner)
  return [chainBorder(chainInnerRight(seed, low, mask), high), chainBorder(chainInner(seed, low, mask), high)]
}

function cut(index: bigint, size: bigint): { inner: number; border: number } {
  const inner = (index ^ (size - 1n)) === 0n ? 0 : (index ^ (size - 1n)).toString(2).length
  return { inner, border: (index >> BigInt(inner)).toString(2).replaceAll('0', '').length }
}

function chainInner(seed: Bytes, path: readonly Bytes[], index: bigint): Bytes {
  return path.reduce((hash, next, i) => ((index >> BigInt(i)) & 1n ? children(next, hash) : children(hash, next)), seed)
}

function chainInnerRight(seed: Bytes, path: readonly Bytes[], index: bigint): Bytes {
  return path.reduce((hash, next, i) => ((index >> BigInt(i)) & 1n ? children(next, hash) : hash), seed)
}

function chainBorder(seed: Bytes, path: readonly Bytes[]): Bytes {
  return path.reduce((hash, next) => children(next, hash), seed)
}
