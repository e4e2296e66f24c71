import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

const CORES = availableParallelism()
/**
 * Files side by side. Each waits for sockets, disks and times to pass for a part of its time, so one more than there are
 * cores keeps these busy; by itself vitest would leave one idle.
 */
const WORKERS = CORES + 1
/** Hostile peers stall and stay silent: their files wait for longer. */
const BYZANTINE_WORKERS = CORES + 2
/** Networks of real processes that wait for rounds to pass: two of them are what two cores carry. */
const E2E_WORKERS = 2

/**
 * Ends what hangs. Each wait in a test has a bound of its own, which says what was waited for and is longer on a busy
 * machine (test/support/patience.ts); this one is beyond all of them.
 */
const HANGS_MS = 600_000

/** The longest, or longest waiting: by their size, which is the order where no run before is known, they would come last. */
const FIRST = [
  'test/byzantine/outage.test.ts',
  'test/byzantine/full-sync.test.ts',
  'test/consensus/driver.test.ts',
  'test/e2e/faults.test.ts'
]

class Sequencer extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const isFirst = ({ moduleId }: TestSpecification): boolean => FIRST.some((file) => moduleId.endsWith(file))
    return [...sorted.filter(isFirst), ...sorted.filter((file) => !isFirst(file))]
  }
}

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: WORKERS,
    expect: { poll: { timeout: HANGS_MS / 2 } },
    sequence: { sequencer: Sequencer },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/e2e/**', 'test/byzantine/**', 'test/browser/**', 'test/interop/**'],
          globalSetup: 'test/support/build-workers.ts',
          testTimeout: HANGS_MS,
          hookTimeout: HANGS_MS
        }
      },
      {
        extends: true,
        test: {
          name: 'byzantine',
          include: ['test/byzantine/**/*.test.ts'],
          maxWorkers: BYZANTINE_WORKERS,
          // Projects of other numbers of workers run one after another.
          sequence: { groupOrder: 1 },
          // Some of its files are about processes.
          globalSetup: 'test/support/build-all.ts',
          testTimeout: HANGS_MS,
          hookTimeout: HANGS_MS
        }
      },
      {
        extends: true,
        test: {
          name: 'browser',
          include: ['test/browser/**/*.test.ts'],
          // The bundle is made of what is published: dist/.
          globalSetup: 'test/support/build-all.ts',
          testTimeout: HANGS_MS,
          hookTimeout: HANGS_MS
        }
      },
      {
        extends: true,
        test: {
          name: 'interop',
          include: ['test/interop/**/*.test.ts'],
          globalSetup: 'test/support/build-all.ts',
          testTimeout: HANGS_MS,
          hookTimeout: HANGS_MS
        }
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: 'test/support/build-all.ts',
          maxWorkers: E2E_WORKERS,
          sequence: { groupOrder: 2 },
          testTimeout: HANGS_MS,
          hookTimeout: HANGS_MS
        }
      }
    ]
  }
})
