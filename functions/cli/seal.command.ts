import { createHash } from 'node:crypto'
import { createReadStream, readFileSync, writeFileSync } from 'node:fs'
import { errnoOf } from '../../shared/archive/file-errors.ts'
import type { Sha256 } from '../../shared/contract/ids.ts'
import { parseRawKey } from '../../shared/contract/object-key.ts'
import { ConfigurationError, IngestError } from '../../shared/errors.ts'
import { mailboxesOf } from '../../shared/ledger/mailboxes.ts'
import { openProver, segmentOf } from '../../shared/operations/prove.ts'
import { sealLedgers } from '../../shared/operations/seal.ts'
import { decodeProof, verifyProof } from '../../shared/seal/proof.ts'
import type { Signer } from '../../shared/seal/signer.ts'
import { localSealKey, openAuthorities, openSigner } from '../seal-ports.ts'
import { oneMessage } from './one-message.ts'
import { countOf, countText, type Output, octetsText } from './output.ts'
import type { Run } from './run.ts'

/** Signs what the ledgers gained since the last seal; with `publicKey` prints the key by which seals are checked, and seals nothing. */
export async function sealCommand(run: Run, options: { readonly publicKey?: boolean }): Promise<void> {
  const { output, settings, stores, signal } = run
  const signer = signerOf(run)
  try {
    if (options.publicKey) {
      const pem = await signer.publicKey()
      output.result({ publicKey: pem }, () => pem.trimEnd())
      return
    }
    const mailboxes = await Array.fromAsync(mailboxesOf(stores.archive))
    const ports = { archive: stores.archive, signer, authorities: openAuthorities(settings.config) }
    const { seals, broken, unstamped } = await sealLedgers(mailboxes, ports, () => !signal.aborted)
    for (const seal of seals)
      output.result(
        seal,
        () =>
          `seal ${seal.seq}: ${countOf(seal.treeSize, 'line')} of the ledgers, root ${seal.root}, ${seal.sealedAt}`,
      )
    if (seals.length === 0 && broken.length === 0)
      output.note('Nothing to seal: the ledgers have nothing that the last seal has not.')
    for (const error of unstamped) output.problem('timestamp', error)
    for (const { mailbox, error } of broken) output.problem(mailbox, error)
  } finally {
    signer.close()
  }
}

/** The key that signs for this archive. Throws a ConfigurationError where none is configured, deployed or local. */
export function signerOf(
  { settings, options, buckets, environment }: Run,
  { create = settings.config.seal.key === undefined }: { readonly create?: boolean } = {},
): Signer & { close(): void } {
  const { config, folder } = settings
  const { local } = options
  const deployed = buckets?.sealKey
  const key = config.seal.key ?? (local === undefined ? deployed && `kms:${deployed}` : localSealKey(local))
  if (key === undefined)
    throw new ConfigurationError(options.config, [
      'seal.key: missing; expected file:PATH or kms:KEY, or run with --stack NAME (what was deployed) or --local',
    ])
  return openSigner({ key, folder, create, environment })
}

/** The inclusion proof of one message, as JSON: to stdout, or to a file that is not there yet. */
export async function proveCommand(
  run: Run,
  id: string,
  options: { readonly output?: string },
): Promise<void> {
  const { output, stores } = run
  const facts = await oneMessage(run, 'archive prove', id)
  const message = facts && parseRawKey(facts.key)
  if (!message) return
  const seq = await segmentOf(message.mailbox, message.sha256, stores.archive)
  if (seq === undefined)
    throw new IngestError('NOT_SEALED', `${facts.key} is archived, and its ledger does not name it yet`)
  const proof = await openProver(stores.archive).prove(message.mailbox, seq, message.sha256)
  const text = `${JSON.stringify(proof, undefined, 1)}\n`
  if (options.output === undefined) {
    output.result(proof, () => text.trimEnd())
    return
  }
  try {
    writeFileSync(options.output, text, { flag: 'wx' })
  } catch (error) {
    output.problem(`--output ${options.output}`, error)
    return
  }
  output.result({ file: options.output, key: facts.key }, () => `${options.output}: proves ${facts.key}`)
}

/** Checks message, proof and key, from files alone. */
export async function verifyProofCommand(
  output: Output,
  { message, proof, key }: { readonly message: string; readonly proof: string; readonly key: string },
): Promise<void> {
  const publicKey = readText(key, 'the public key (PEM)')
  const decoded = decodeProof(readText(proof, 'a proof'), proof)
  const facts = await factsOf(message)
  const { mailbox, seal, entry, authorities } = verifyProof(facts, decoded, publicKey)
  output.result(
    { verified: true, mailbox, sha256: entry.sha256, octets: entry.octets, seal, authorities },
    () =>
      [
        `verified: ${message} (${octetsText(facts.octets)}, SHA-256 ${facts.sha256})`,
        `  was recorded as archived from mailbox ${mailbox} when seal ${seal.seq} was made, ${seal.sealedAt} by the clock of the signer`,
        `  one of ${countText(seal.treeSize)} lines under root ${seal.root}`,
        ...authorities.map(
          (url) => `  stamped by ${url}: check the token with openssl ts (docs/evidence.md)`,
        ),
      ].join('\n'),
  )
}

async function factsOf(file: string): Promise<{ sha256: Sha256; octets: number }> {
  const hash = createHash('sha256')
  let octets = 0
  try {
    for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
      hash.update(chunk)
      octets += chunk.length
    }
  } catch (error) {
    throw unreadable(file, 'a message (.eml)', error)
  }
  return { sha256: hash.digest('hex') as Sha256, octets }
}

function readText(file: string, expected: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw unreadable(file, expected, error)
  }
}

function unreadable(file: string, expected: string, error: unknown): unknown {
  if (errnoOf(error) === undefined) return error
  return new ConfigurationError('archive verify-proof', [
    `${file} cannot be read: ${error instanceof Error ? error.message : String(error)}; expected ${expected}`,
  ])
}
