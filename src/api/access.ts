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
 * is one, else this machine only. /health is open: probes have no tokens and it tells little.
 */
export function guard(app: FastifyInstance, rules: AccessRules): void {
  const local = isLoopback(rules.host)
  app.addHook('onRequest', async (request) => {
    if (request.url.startsWith('/health/')) return
    const writes = request.method !== 'GET' && request.method !== 'HEAD'
    if (local && !rules.public) assertLocalName(request, rules.host)
    if (rules.token !== '' && hasToken(request, rules.token)) return
    if (writes && rules.token !== '') throw apiError('UNAUTHORIZED', 'writes need Authorization: Bearer <api.token>')
    if (writes && !local && !isLoopback(peerOf(request))) {
      throw apiError('FORBIDDEN', 'this node has no api.token, so it takes writes from its own machine only')
    }
    if (!writes && !local && !rules.public) {
      throw apiError('UNAUTHORIZED', 'this API is not public: it needs Authorization: Bearer <api.token>')
    }
  })
}

/** A web page may make its own name resolve to 127.0.0.1 and so read what is meant for this machine (DNS rebinding). */
function assertLocalName(request: FastifyRequest, host: string): void {
  const { hostname } = request
  const bare = hostname.replace(/^\[|\]$/g, '')
  if (bare === '' || bare === 'localhost' || bare === host || isIP(bare) !== 0) return
  throw apiError('HOST_REFUSED', `this API is for this machine; the host name ${bare.slice(0, 100)} is not accepted`)
}

/** IPv4 callers of an IPv6 socket come as ::ffff:1.2.3.4. */
export function peerOf(request: FastifyRequest): string {
  return request.ip.replace(/^::ffff:/, '')
}

function hasToken(request: FastifyRequest, token: string): boolean {
  const given = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1]
  // Hashes have one length and say nothing about it: the comparison takes the same time whatever was guessed.
  return given !== undefined && timingSafeEqual(digest(given), digest(token))
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
