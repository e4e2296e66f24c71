/** A header's fields, whatever buffer they are views of; the decoded `Header` is one. */
export interface HeaderFields {
  readonly version: number
  readonly height: number
  readonly parentHash: Uint8Array
  readonly eventsRoot: Uint8Array
  readonly eventCount: number
  readonly mmrRoot: Uint8Array
  readonly stateRoot: Uint8Array
  readonly validatorsHash: Uint8Array
  readonly nextValidatorsHash: Uint8Array
  readonly timestamp: number
  readonly proposer: Uint8Array
}
