import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MolochError } from '../error.ts'
import { homePaths } from '../node/home.ts'

/** A node says that it stops within 10 s; one that does not is ended. */
const STOP_GRACE_MS = 12_000
/** What is shown of the end of a log when a node ends by itself. */
const LOG_TAIL_BYTES = 4096

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** One node as a process of its own. It is started once; a restart is a new NodeProcess. */
export class NodeProcess {
  readonly home: string
  readonly logFile: string
  readonly exited: Promise<Exit>
  exit: Exit | undefined
  readonly #child: ChildProcess

  static logFile(home: string): string {
    return join(homePaths(home).logs, 'node.log')
  }

  /** Starts `moloch start --home HOME` with its output added to HOME/logs/node.log. */
  constructor(home: string, args: readonly string[] = []) {
    this.home = home
    mkdirSync(homePaths(home).logs, { recursive: true })
    this.logFile = NodeProcess.logFile(home)
    const log = openSync(this.logFile, 'a')
    try {
      this.#child = spawn(
        process.execPath,
        [
          '--import',
          built('devnet/leash.js').href,
          fileURLToPath(built('cli/main.js')),
          'start',
          '--home',
          home,
          ...args
        ],
        {
          stdio: ['ignore', log, log, 'ipc'],
          // In a group of its own Ctrl-C reaches it only through the devnet, which stops all nodes in order.
          detached: true,
          env: ownEnvironment()
        }
      )
    } finally {
      closeSync(log)
    }
    this.exited = new Promise((done) => {
      const end = (exit: Exit) => {
        this.exit ??= exit
        done(this.exit)
      }
      this.#child.once('exit', (code, signal) => end({ code, signal }))
      // A signal that could not be sent is an error event too, and the process lives on.
      this.#child.on('error', () => {
        if (this.#child.pid === undefined) end({ code: 1, signal: null })
      })
    })
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** Sends a signal and waits until the process has ended. */
  async kill(signal: NodeJS.Signals): Promise<Exit> {
    this.#child.kill(signal)
    return this.exited
  }

  /** Asks it to stop, and ends it if it has not within the grace. */
  async stop(): Promise<Exit> {
    this.#child.kill('SIGTERM')
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_GRACE_MS)
    try {
      return await this.exited
    } finally {
      clearTimeout(timer)
    }
  }

  /** For the error of a node that ended when nobody asked it to. */
  describeExit(name: string): MolochError {
    const how = this.exit?.signal ? `by ${this.exit.signal}` : `with code ${this.exit?.code ?? 'none'}`
    const tail = readFileSync(this.logFile).subarray(-LOG_TAIL_BYTES).toString('utf8').trimEnd().split('\n')
    // Below a bug's line comes its stack.
    const last = tail.findLast((line) => line.startsWith('moloch: ')) ?? tail.at(-1) ?? ''
    return new MolochError('NODE_ENDED', `${name} ended ${how}: ${last.slice(0, 500)} (log: ${this.logFile})`)
  }
}

/** A file of dist/, also when this runs from the sources (tests): nodes always run what was built. */
function built(path: string): URL {
  return new URL(`../../dist/${path}`, import.meta.url)
}

/** Settings in the environment of who starts a devnet are not meant for all of its nodes. */
function ownEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('MOLOCH_')))
}
