import { checkHeader } from '../../chain/check-header.ts'
import type { Checkpoint } from '../../chain/checkpoint.ts'
import { type CheckedManifest, checkManifest, readManifest } from '../../chain/snapshot-manifest.ts'
import { MolochError } from '../../error.ts'
import type { WarpPorts } from './types.ts'

type Ports = Pick<WarpPorts, 'genesis' | 'network'>

/** The validators certified the block of this hash at the checkpoint's height. */
export interface Certified {
  readonly hash: Uint8Array
}

/**
 * The peer's manifest of a snapshot under the checkpoint; or what was certified in place of the checkpoint.
 * @param height of the snapshot; 0: the newest
 * @throws MolochError with the code of what is wrong with it, or a NetworkErrorCode
 */
export async function askManifest(
  { genesis, network }: Ports,
  { peer, height, checkpoint }: { readonly peer: string; readonly height: number; readonly checkpoint: Checkpoint },
  signal: AbortSignal
): Promise<{ readonly manifest: CheckedManifest } | Certified> {
  const bytes = await network.getManifest(peer, { height, checkpointHeight: checkpoint.height }, { signal })
  const check = checkManifest(genesis, bytes, checkpoint)
  if (check.ok && (height === 0 || check.manifest.height === height)) return { manifest: check.manifest }
  if (check.ok) {
    const message = `a manifest of block ${check.manifest.height} where that of ${height} was asked for`
    throw new MolochError('MANIFEST_HEIGHT', message)
  }
  // Its header is certified: that was checked before the hash.
  const read = check.failure.code === 'CHECKPOINT_HASH' ? readManifest(genesis, bytes) : check
  if (!read.ok) throw new MolochError(read.failure.code, read.failure.message)
  return { hash: read.manifest.header.hash }
}

/**
 * What the validators certified at a height, by the peer's header.
 * @returns undefined: it gave none
 * @throws MolochError with the code of what is wrong with the answer, or a NetworkErrorCode
 */
export async function askHeader(
  { genesis, network }: Ports,
  peer: string,
  height: number,
  signal: AbortSignal
): Promise<Certified | undefined> {
  let certified: Certified | undefined
  for await (const { headers } of network.getHeaders(peer, { start: height, count: 1 }, { signal })) {
    for (const bytes of headers) {
      const checked = checkHeader(genesis, bytes)
      const failure = checked.ok ? checked.header.deferred : checked.failure
      if (failure !== undefined || !checked.ok) {
        throw new MolochError(failure?.code ?? 'BAD_FRAME', failure?.message ?? '')
      }
      const { header } = checked
      if (header.height !== height) throw new MolochError('BAD_HEIGHT', `header ${header.height}, asked for ${height}`)
      certified = header
    }
  }
  return certified
}
