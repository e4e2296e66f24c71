import { build } from './build.ts'

/** Unit tests run from the sources, but a worker thread needs what it runs built. */
export default function setup(): void {
  build('codec', 'crypto', 'chain', 'verify', 'store', 'ledger', 'consensus', 'sync', 'light', 'node')
}
