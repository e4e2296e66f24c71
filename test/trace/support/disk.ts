import { type WriteAt, writeAt } from '../../../src/trace/files.ts'

/** A disk that writes when it is let, and fails when it is told to: real files behind a gate. */
export class Disk {
  /** What a write meets, after it has put down so many of its bytes. */
  fault: { code: string; after: number } | undefined
  writes = 0
  #gate: Promise<void> | undefined
  #open: () => void = () => {}
  #arrivals: (() => void)[] = []

  /** From now on writes wait for `release`. */
  hold(): void {
    this.#gate = new Promise((resolve) => {
      this.#open = resolve
    })
  }

  release(): void {
    this.#gate = undefined
    this.#open()
  }

  /** When the next write arrives. */
  arrival(): Promise<void> {
    return new Promise((resolve) => this.#arrivals.push(resolve))
  }

  readonly write: WriteAt = async (file, bytes, position) => {
    this.writes++
    for (const arrived of this.#arrivals.splice(0)) arrived()
    await this.#gate
    if (this.fault === undefined) return await writeAt(file, bytes, position)
    const { code, after } = this.fault
    await writeAt(file, bytes.subarray(0, after), position)
    throw Object.assign(new Error(`${code}: no space left on device, write`), { code, syscall: 'write' })
  }
}
