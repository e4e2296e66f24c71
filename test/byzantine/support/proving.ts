import type { GetProof } from '../../../src/codec/generated/sync.ts'
import { Proof } from '../../../src/codec/generated/sync.ts'
import { MolochError } from '../../../src/error.ts'
import type { NetworkPorts } from '../../../src/network/types.ts'
import { ServedChain } from '../../light/support/served-chain.ts'
import { ChainPorts } from '../../network/support/nodes.ts'
import { honestChain } from './chain.ts'

let made: ServedChain | undefined

/** The honest chain's headers and proofs, made once a file. */
export function served(): ServedChain {
  made ??= new ServedChain(honestChain())
  return made
}

/** A full peer that answers light nodes too; of another chain than the honest one if it is given. */
export class ProvingPorts extends ChainPorts {
  readonly proving: NonNullable<NetworkPorts['proving']> = {
    readHeaders: (start, count) => this.readHeaders(start, count),
    readPeaks: (leafCount) => this.readPeaks(leafCount),
    prove: (request) => this.prove(request)
  }
  readonly #other: ServedChain | undefined

  constructor(height: number, other?: ServedChain) {
    super(height, other?.chain ?? honestChain())
    this.#other = other
  }

  async *readHeaders(start: number, count: number): AsyncGenerator<Uint8Array> {
    yield* this.served.headers.slice(start - 1, Math.min(start - 1 + count, this.height))
  }

  async readPeaks(leafCount: number): Promise<Uint8Array[]> {
    return this.served.peaks(leafCount)
  }

  async prove(request: GetProof): Promise<Proof> {
    const { event, header, consistency, history } = request
    const anchor = (event ?? header ?? history)?.anchorHeight ?? consistency?.to ?? 0
    if (anchor > this.height) throw new MolochError('UNAVAILABLE', `no header ${anchor} here`)
    return Proof.decode(await this.served.getProof(request))
  }

  protected get served(): ServedChain {
    return this.#other ?? served()
  }
}
