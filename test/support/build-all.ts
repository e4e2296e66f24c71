import { build } from './build.ts'

/** End-to-end tests run the built program. */
export default function setup(): void {
  build()
}
