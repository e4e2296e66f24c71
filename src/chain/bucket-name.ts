/** A bucket's row: the bits that its keys share, padded to whole bytes, and how many they are. In the order of key hashes. */
export type BucketName = Uint8Array

/** The name of the bucket of depth `depth` on the way of the key hash at `offset`. */
export function bucketName(keyHashes: Uint8Array, offset: number, depth: number): BucketName {
  const name = new Uint8Array(nameBytes(depth))
  const whole = name.byteLength - 1
  for (let i = 0; i < whole; i++) name[i] = keyHashes[offset + i] as number
  if (depth % 8 !== 0) name[whole - 1] = (name[whole - 1] as number) & (0xff00 >>> (depth % 8))
  name[whole] = depth
  return name
}

/** @throws RangeError if it can't be the name of a bucket */
export function depthOf(name: BucketName): number {
  const depth = name[name.byteLength - 1] ?? 0
  if (name.byteLength !== nameBytes(depth)) throw new RangeError('not a bucket')
  return depth
}

function nameBytes(depth: number): number {
  return Math.ceil(depth / 8) + 1
}
