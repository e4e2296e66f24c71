import type { Row } from './rows.ts'

/** What a benchmark is run with. */
export interface Context {
  /** How often each figure is taken; the median counts. */
  readonly runs: number
  /** Rates are limited by a proxy process even where network namespaces can be made. */
  readonly proxy: boolean
  /** For people who wait: goes to stderr. */
  say(line: string): void
  /** What another benchmark measures, or has measured in this run of the program. */
  row(name: string): Promise<Row>
}

export interface Benchmark {
  readonly name: string
  readonly summary: string
  run(context: Context): Promise<Row>
}
