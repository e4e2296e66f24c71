/** A message, and copies of it in each of which one thing is different. */

export interface Mutant<Value> {
  /** `commit.signatures[].validator`; `[]` alone at the end: an element left out or there twice. */
  readonly path: string
  readonly value: Value
}

/** The order of the group: a signature with S + L passes where S < L is not asked for. */
const L = 2n ** 252n + 27742317777372353535851937790883648493n

/** One mutant at least for each field that is there, nested ones too. */
export function mutantsOf<Value>(value: Value, path = ''): Mutant<Value>[] {
  return changed(value, path) as Mutant<Value>[]
}

function changed(value: unknown, path: string): Mutant<unknown>[] {
  if (value instanceof Uint8Array) return bytesChanged(value).map((one) => ({ path, value: one }))
  if (Array.isArray(value)) {
    const inner = value.flatMap((one, i) =>
      changed(one, `${path}[]`).map((mutant) => ({ path: mutant.path, value: value.with(i, mutant.value) }))
    )
    if (value.length === 0) return inner
    return [
      ...inner,
      { path: `${path}[]`, value: value.slice(0, -1) },
      { path: `${path}[]`, value: value.slice(1) },
      { path: `${path}[]`, value: [...value, value.at(-1)] }
    ]
  }
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).flatMap(([name, field]) =>
      changed(field, path === '' ? name : `${path}.${name}`).map((mutant) => ({
        path: mutant.path,
        value: { ...value, [name]: mutant.value }
      }))
    )
  }
  if (typeof value === 'number')
    return [value + 1, ...(value > 0 ? [value - 1] : [])].map((one) => ({ path, value: one }))
  if (typeof value === 'string') return [{ path, value: OTHER[value] ?? `${value}x` }]
  return []
}

const OTHER: Record<string, string> = { PREVOTE: 'PRECOMMIT', PRECOMMIT: 'PREVOTE', FULL: 'LIGHT' }

function bytesChanged(bytes: Uint8Array): Uint8Array[] {
  // Where nothing is, there may be something: no hash, or one of zeros.
  if (bytes.length === 0) return [new Uint8Array(32), new Uint8Array(32).fill(1)]
  const flipped = [0, bytes.length - 1].map((at) => new Uint8Array(bytes).with(at, (bytes[at] as number) ^ 1))
  const others: Uint8Array[] = [...flipped, new Uint8Array(bytes.length), new Uint8Array(0)]
  if (bytes.length === 64) others.push(withLargerS(bytes))
  return others.filter((one) => Buffer.compare(one, bytes) !== 0)
}

function withLargerS(signature: Uint8Array): Uint8Array {
  const littleEndian = Buffer.from(signature.subarray(32)).reverse().toString('hex')
  const s = (BigInt(`0x${littleEndian}`) + L).toString(16).padStart(64, '0')
  return new Uint8Array([...signature.subarray(0, 32), ...Buffer.from(s, 'hex').reverse()])
}
