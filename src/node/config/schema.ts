import { type Static, type TSchemaOptions, Type } from 'typebox'
import { TRACE_FORMATS } from '../../trace/format.ts'

/**
 * Every setting of a node: its key, type, default, bounds and what it is for. A key is written the same everywhere:
 * `p2p.max_peers` is `[p2p] max_peers` in config.toml, MOLOCH_P2P_MAX_PEERS in the environment and
 * `config.p2p.max_peers` here. A setting that bounds something names the attack or fault it is there for.
 */

/** What a setting may say about itself beyond JSON Schema's own words. */
export interface SettingOptions extends TSchemaOptions {
  /** A format checked by checks.ts. */
  check?: 'multiaddr' | 'host' | 'checkpoint'
  /** Of a number that may also be 0: the least that it may be otherwise. */
  least?: number
  /** Never shown by `config show` nor logged. */
  secret?: boolean
}

const text = (initial: string, description: string, options: SettingOptions = {}) =>
  Type.String({ ...options, default: initial, description })
const list = (initial: readonly string[], description: string, options: SettingOptions = {}) =>
  Type.Array(Type.String(), { ...options, default: initial, description })
const flag = (initial: boolean, description: string, options: SettingOptions = {}) =>
  Type.Boolean({ ...options, default: initial, description })
const integer = (initial: number, [minimum, maximum]: readonly [number, number], description: string) =>
  Type.Integer({ minimum, maximum, default: initial, description })
const oneOf = <const Values extends string[]>(
  values: readonly [...Values],
  initial: Values[number],
  description: string
) => Type.Enum(values, { default: initial, description })
const section = <Properties extends Parameters<typeof Type.Object>[0]>(properties: Properties, description: string) =>
  Type.Object(properties, { additionalProperties: false, description })

const MiB = 2 ** 20

export const configSchema = Type.Object(
  {
    mode: oneOf(
      ['full', 'light', 'warp'],
      'full',
      'how the node begins and what it keeps: full = every block, from genesis; warp = the same, from a snapshot at the ' +
        'checkpoint or above; light = headers only, and proofs on demand'
    ),
    checkpoint: text(
      '',
      'HEIGHT:HASH of a block that you trust (moloch checkpoint show); where a light or warping node begins; empty = block 0',
      { check: 'checkpoint' }
    ),
    backfill: flag(
      true,
      'fetch the history below the snapshot that the node began at, in the background; nothing to do without one'
    ),
    p2p: section(
      {
        listen: list(['/ip4/0.0.0.0/tcp/9645'], 'multiaddrs to accept peers on', { check: 'multiaddr' }),
        announce: list([], 'multiaddrs to tell peers instead of the ones listened on (behind NAT)', {
          check: 'multiaddr'
        }),
        bootstrap: list([], 'multiaddrs of peers to keep a connection to, each ending in /p2p/<peer id>', {
          check: 'multiaddr'
        }),
        mdns: flag(false, 'find peers on the local network; tells everybody on it that this node is there'),
        max_peers: integer(
          100,
          [1, 10_000],
          'sessions at once; when all are taken, one of the most crowded network leaves for who comes from elsewhere or is a validator'
        ),
        wanted_peers: integer(
          8,
          [0, 1000],
          'with fewer sessions, peers met before are dialled; bootstrap peers may be gone'
        ),
        max_peers_per_ip: integer(
          16,
          [1, 10_000],
          'sessions from one IP, but for validators and bootstrap peers; one host cannot take all of the places'
        ),
        max_pending_inbound: integer(
          32,
          [1, 10_000],
          'inbound connections before their handshake is done; half-open floods'
        ),
        inbound_per_second: integer(
          10,
          [1, 10_000],
          'new inbound connections a second and host, shared by all behind one NAT or proxy; reconnect storms, Noise CPU'
        ),
        status_interval_ms: integer(30_000, [100, 600_000], 'time between Status exchanges with each peer'),
        hello_timeout_ms: integer(10_000, [100, 120_000], 'time for a peer to pass Hello; silent peers hold a place')
      },
      'peers'
    ),
    api: section(
      {
        host: text('127.0.0.1', 'address of the HTTP API; beyond loopback it needs api.token or api.public', {
          check: 'host'
        }),
        port: integer(8645, [0, 65_535], 'port of the HTTP API; 0 = any free one'),
        token: text('', 'bearer token that writes need; empty = none asked, then only loopback may write', {
          secret: true
        }),
        public: flag(false, 'let anybody read when bound beyond loopback'),
        max_wait_ms: integer(30_000, [0, 600_000], 'longest ?wait=finalized; held requests cost memory'),
        max_waiters: integer(10_000, [0, 1_000_000], 'events that requests wait for at once; held requests cost memory')
      },
      'the HTTP API'
    ),
    log: section(
      {
        level: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'silent'], 'info', 'the least that is logged'),
        format: oneOf(['auto', 'pretty', 'json'], 'auto', 'auto = pretty on a terminal, else JSON lines')
      },
      'the log, on stderr'
    ),
    sync: section(
      {
        max_buffer_bytes: integer(
          64 * MiB,
          [8 * MiB, 4096 * MiB],
          'downloaded and not yet stored; fast peers, slow disk'
        ),
        peer_concurrency: integer(2, [1, 16], 'block requests at once to one peer'),
        verify_workers: integer(0, [0, 64], 'threads that check blocks; 0 = one a core but one, 1 to 4'),
        verify_events: flag(false, 'check event signatures of finalized blocks too; the validators that voted did')
      },
      'catching up'
    ),
    serve: section(
      {
        max_answers: integer(
          16,
          [1, 1000],
          'answers of blocks, headers and proofs under way, all peers together; crowds take memory and disk'
        ),
        max_bytes_per_second: integer(
          128 * MiB,
          [256 * 1024, 65_536 * MiB],
          'bytes of blocks, headers and proofs, all peers together; crowds take the uplink that votes need'
        ),
        peer_bytes_per_second: integer(
          64 * MiB,
          [64 * 1024, 65_536 * MiB],
          'bytes of blocks to one peer; one greedy peer leaves nothing to others'
        ),
        peer_blocks_per_second: integer(8192, [16, 10_000_000], 'blocks to one peer; small blocks cost more than bytes')
      },
      'what peers may download from this node'
    ),
    snapshot: section(
      {
        keep: integer(
          2,
          [0, 1000],
          'newest snapshots kept in data/snapshots, from which others can start; 0 = none are built; they take disk'
        )
      },
      'snapshots'
    ),
    mempool: section(
      {
        max_events: integer(50_000, [1, 10_000_000], 'events held; floods of events'),
        max_bytes: integer(64 * MiB, [MiB, 4096 * MiB], 'bytes of events held; floods of large events'),
        max_per_actor: integer(20_000, [1, 10_000_000], 'events of one actor; one loud actor cannot crowd out others'),
        max_per_source: integer(
          20_000,
          [1, 10_000_000],
          'events of one caller of the API (by address); one loud program cannot crowd out others'
        ),
        unvouched_percent: integer(
          5,
          [1, 40],
          'of the mempool, and of the largest block in what this node proposes, for events that no validator vouches for; floods by strangers'
        )
      },
      'events that wait for a block'
    ),
    light: section(
      {
        keep_headers: Type.Integer({
          minimum: 0,
          maximum: 1_000_000_000,
          // Fewer than one answer of headers: what was just fetched to fill a gap would be gone at once.
          least: 1024,
          default: 0,
          description: 'newest headers that a light node keeps (the checkpoint stays too); 0 = all, under 1 KB each'
        }),
        skip: flag(
          false,
          'far behind, go to the newest certified header at once; those between are fetched when asked for'
        )
      },
      'light nodes'
    ),
    trace: section(
      {
        file: text(
          '',
          'path of trace files, to which -000001.<format> is added; in the home if relative; of this node alone; empty = off'
        ),
        format: oneOf(TRACE_FORMATS, 'pb', 'protobuf of go-libp2p-pubsub or the same as JSON lines, gzipped or not'),
        max_file_bytes: integer(64 * MiB, [64 * 1024, 65_536 * MiB], 'a file that would become larger is ended'),
        keep_files: integer(16, [1, 100_000], 'files kept, the newest; traces do not fill the disk'),
        score_interval_ms: integer(5000, [100, 3_600_000], "time between samples of all peers' gossip scores")
      },
      'what gossip does, for researchers'
    )
  },
  { additionalProperties: false }
)

/** The settings, all present. `home` comes from --home, MOLOCH_HOME or the default, never from a file inside it. */
export type Config = { readonly home: string } & Static<typeof configSchema>
