import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

// Who may import whom (ARCHITECTURE.md). Every import of our sources is looked at: static, dynamic, of types and of values.

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const ROOMS = ['functions', 'infra', 'shared', 'test'].filter((room) => existsSync(join(ROOT, room)))
const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s(?:[^'"`;]*?\sfrom\s)?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/g

interface Import {
  readonly from: string
  /** A path in the repository, or the name of a package or module. */
  readonly to: string
}

function sourcesOf(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(ts|mjs)$/.test(entry.name))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
}

function importsOf(source: string): Import[] {
  const text = readFileSync(join(ROOT, source), 'utf8')
  return [...text.matchAll(IMPORT)].map(([, fixed, dynamic]) => {
    const to = fixed ?? dynamic ?? ''
    return { from: source, to: to.startsWith('.') ? normalize(join(dirname(source), to)) : to }
  })
}

const SOURCES = ROOMS.flatMap(sourcesOf)
const IMPORTS = SOURCES.flatMap(importsOf)

/** Files that may touch a vendor's SDK, a socket or the disk: each an adapter of one port, or what adapters of a port share. */
const ADAPTERS =
  /^shared\/(mailbox\/(imap|pop3|tls)|archive\/(s3|file|folder-sync|durable-file|sidecar)|(state|derived)\/(s3|file)|queue\/(sqs|local)|credentials\/|deployed\/|parser\/(worker-pool|pool-worker|parse\.worker)|relay\/health-endpoint|authentication\/dns-resolver|seal\/(signer-file|signer-kms|timestamp-http)|consumer\/(s3|sqs)|search\/(duckdb|athena))/

/** Ports are types and may not pull anything in. */
const PORTS =
  /^shared\/(mailbox\/(mailbox|watch|canary)|archive\/(archive|audit|custody)|state\/state|derived\/derived|queue\/queue|parser\/parser|credentials\/credentials|seal\/signer|search\/search|authentication\/dns)\.ts$/

const RULES: readonly { readonly name: string; readonly where: RegExp; readonly mayNotImport: RegExp }[] = [
  {
    name: 'the contract knows nothing but itself, its schema library and its file format',
    where: /^shared\/contract\//,
    mayNotImport: /^(?!shared\/contract\/|zod$|yaml$|node:crypto$)/,
  },
  {
    name: 'mail is pure: octets in, metadata out',
    where: /^shared\/mail\//,
    mayNotImport:
      /^(?!shared\/mail\/|shared\/contract\/|shared\/limits\.ts$|libmime$|node:(crypto|string_decoder|util|buffer|stream|zlib)$)/,
  },
  {
    name: 'shared is a library: it knows no entry point, no stack and no test',
    where: /^shared\//,
    mayNotImport: /^(functions|infra|test)\//,
  },
  {
    name: 'only adapters touch an SDK, a socket or a mail library',
    where: new RegExp(`^shared/(?!${ADAPTERS.source.slice('^shared\\/'.length)})`),
    mayNotImport:
      /^(@aws-sdk\/|@smithy\/|@duckdb\/|imapflow$|fauxqs|node:(net|tls|http|https|dgram|worker_threads|child_process)$)/,
  },
  {
    name: 'drain, probe, relay and operations see ports, never adapters',
    where:
      /^shared\/(drain|probe|relay|suspension|announcement|routing)\.ts$|^shared\/(drain|relay|operations|ledger|query|cases)\//,
    mayNotImport:
      /^shared\/(mailbox\/(imap|pop3|memory)|archive\/(s3|file|memory)|(state|derived)\/(s3|file|memory)|queue\/(sqs|local|memory)|credentials\/(?!credentials\.ts)|seal\/(signer-|timestamp-)|search\/(?!search\.ts)|authentication\/dns-resolver|parser\/(?!parser\.ts))/,
  },
  {
    name: 'a query knows messages and ledgers, and nobody who asks',
    where: /^shared\/query\//,
    mayNotImport: /^shared\/(?!query\/|contract\/|archive\/|ledger\/|parser\/|[a-z-]+\.ts$)/,
  },
  {
    name: 'what operations are made of knows none of them',
    where: /^shared\/(ledger|query|cases|search|seal)\//,
    mayNotImport: /^shared\/operations\//,
  },
  {
    name: 'infra shares names with the functions, never code',
    where: /^infra\//,
    mayNotImport: /^(functions|shared\/(?!contract\/)|test)/,
  },
  {
    name: 'the product does not import its tests',
    where: /^(functions|infra|shared)\//,
    mayNotImport: /^test\//,
  },
]

for (const { name, where, mayNotImport } of RULES)
  test(name, () => {
    const broken = IMPORTS.filter(({ from, to }) => where.test(from) && mayNotImport.test(to)).map(
      ({ from, to }) => `${from} -> ${to}`,
    )
    assert.deepEqual(broken, [])
  })

test('a port is types: what it imports it imports as types', () => {
  const ports = SOURCES.filter((source) => PORTS.test(source))
  assert.ok(ports.length >= 5, `${ports.length} ports`)
  for (const port of ports) {
    const values = readFileSync(join(ROOT, port), 'utf8').match(/^import (?!type\b).*$/gm)
    assert.equal(values, null, port)
  }
})

test('the environment is read in functions alone', () => {
  const reading = SOURCES.filter((source) => /^(shared|infra)\//.test(source)).filter((source) =>
    /process\.env/.test(readFileSync(join(ROOT, source), 'utf8')),
  )
  assert.deepEqual(reading, [])
})

test('the rules look at real imports', () => {
  assert.ok(IMPORTS.some(({ from, to }) => from === 'shared/drain.ts' && to === 'shared/ledger/ledger.ts'))
  assert.ok(IMPORTS.some(({ to }) => to === '@aws-sdk/client-s3'))
  for (const { where } of RULES.filter(({ where }) => !where.source.startsWith('^infra')))
    assert.ok(
      SOURCES.some((source) => where.test(source)),
      `${where} matches no source`,
    )
})
