import { createHash, timingSafeEqual } from 'node:crypto'
import { BlockList, isIP, isIPv6 } from 'node:net'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { MolochError } from '../error.ts'
import { apiError } from './problem.ts'

/** Who may ask what. */
export interface AccessRules {
  readonly host: string
  /** Empty: none. */
  readonly token: string
  readonly public: boolean
}

const LOOPBACK = new BlockList()
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4')
LOOPBACK.addAddress('::1', 'ipv6')
/** "All addresses": who connects to one reaches this machine. */
const UNSPECIFIED = ['0.0.0.0', '::']
/** What proxies add: who comes by one is not on this machine, whatever its last connection says. */
const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'] as const

export function isLoopback(host: string): boolean {
  if (host === 'localhost') return true
  return isIP(host) !== 0 && LOOPBACK.check(host, isIPv6(host) ? 'ipv6' : 'ipv4')
}

/**
 * The API is for this machine unless it is opened on purpose.
 * @throws MolochError BAD_CONFIG
 */
export function assertBinding(rules: AccessRules): void {
  if (isLoopback(rules.host) || rules.token !== '' || rules.public) return
  throw new MolochError(
    'BAD_CONFIG',
    `api.host is ${rules.host}, which others can reach; set api.token (writes) or api.public = true (reads), or use 127.0.0.1`
  )
}

/**
 * Reads: anybody, unless the API is bound beyond loopback without api.public; then the token. Writes: the token if there
 * is one, else this machine only, and not what a web page makes a browser on it ask. /health is open: probes have no
 * tokens and it tells little.
 */
export function guard(app: FastifyInstance, rules: AccessRules): void {
  const local = isLoopback(rules.host)
  app.addHook('onRequest', async (request) => {
    if (isHealth(request.url)) return
    // No web page has it: names and origins need not be looked at.
    if (rules.token !== '' && hasToken(request, rules.token)) return
    if (request.method === 'GET' || request.method === 'HEAD') {
      if (rules.public) return
      if (!local) throw apiError('UNAUTHORIZED', 'this API is not public: it needs Authorization: Bearer <api.token>')
      return assertLocalName(request, rules.host)
    }
    if (rules.token !== '') throw apiError('UNAUTHORIZED', 'writes need Authorization: Bearer <api.token>')
    assertFromHere(request)
    assertLocalName(request, rules.host)
    assertNoForeignPage(request)
  })
}

function assertFromHere(request: FastifyRequest): void {
  const forwarded = FORWARDED.find((name) => request.headers[name] !== undefined)
  if (isLoopback(peerOf(request)) && forwarded === undefined) return
  const why = forwarded === undefined ? '' : `; this request came by a proxy (${forwarded})`
  throw apiError('FORBIDDEN', `this node has no api.token, so it takes writes from its own machine only${why}`)
}

/** A web page may make its own name resolve to 127.0.0.1 and so use what is meant for this machine (DNS rebinding). */
function assertLocalName(request: FastifyRequest, host: string): void {
  const name = request.hostname.replace(/^\[|\]$/g, '').toLowerCase()
  // Not from a browser: those always say it.
  if (name === '') return
  if (isLoopback(name) || UNSPECIFIED.includes(name)) return
  if (name === host.toLowerCase() || name === withoutMapping(request.socket.localAddress ?? '')) return
  throw apiError('HOST_REFUSED', `this API is for this machine; the host name ${name.slice(0, 100)} is not accepted`)
}

/** A page of elsewhere may post to this machine, though it cannot read the answer. */
function assertNoForeignPage({ headers }: FastifyRequest): void {
  const { origin, host = '' } = headers
  if (origin !== undefined && !isSameHost(origin, host)) {
    throw apiError('ORIGIN_REFUSED', `without api.token no web page may write here; this one is of ${shown(origin)}`)
  }
  const site = headers['sec-fetch-site']
  if (site !== undefined && site !== 'same-origin' && site !== 'none') {
    throw apiError('ORIGIN_REFUSED', `without api.token no web page may write here; this one is ${shown(site)}`)
  }
}

function isSameHost(origin: string, host: string): boolean {
  const here = `http://${host}`
  // The origin of a sandboxed page or a file is "null", which is no URL.
  return URL.canParse(origin) && URL.canParse(here) && new URL(origin).host === new URL(here).host
}

function shown(header: string | string[]): string {
  return String(header).slice(0, 100)
}

/** What probes ask: open to all, and answered when nothing else is. */
export function isHealth(url = ''): boolean {
  return url.startsWith('/health/')
}

/** Whose share of the places an address is counted for: of IPv6 a network of 2⁶⁴ addresses is one household's. */
export function addressGroup(address: string): string {
  const bare = withoutMapping(address)
  if (!isIPv6(bare)) return bare
  const [head = '', tail = ''] = bare.replace(/%.*/, '').split('::')
  const [left, right] = [words(head), words(tail)]
  const zeros = Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0')
  return [...left, ...zeros, ...right].slice(0, 4).join(':')
}

function words(part: string): string[] {
  return part === '' ? [] : part.split(':')
}

export function peerOf(request: FastifyRequest): string {
  return withoutMapping(request.ip)
}

/** IPv4 callers of an IPv6 socket come as ::ffff:1.2.3.4. */
function withoutMapping(address: string): string {
  return address.replace(/^::ffff:/, '')
}

function hasToken(request: FastifyRequest, token: string): boolean {
  const given = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1]
  // Hashes have one length and say nothing about it: the comparison takes the same time whatever was guessed.
  return given !== undefined && timingSafeEqual(digest(given), digest(token))
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
