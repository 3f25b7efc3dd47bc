import { basename } from 'node:path'
import type { Sha256 } from '../contract/ids.ts'
import { IngestError } from '../errors.ts'
import { memoryOctets } from '../octets.ts'
import type { Prover } from '../operations/prove.ts'
import type { ArchivedMessage } from '../query/archived-messages.ts'
import { readSeal, type SignedSeal } from '../seal/seal.ts'
import type { Signer } from '../seal/signer.ts'
import type { ExportFormat, Part } from './part.ts'
import { signature } from './signed-sums.ts'
import { openZip } from './zip.ts'

/** The evidence bundle: ZIP files that whoever gets one can check with sha256sum and openssl, and with `archive verify-proof`. */
export function bundleFormat({
  prover,
  signer,
  readme,
}: {
  readonly prover: Prover
  readonly signer: Signer
  /** For the recipient. */
  readonly readme: string
}): ExportFormat {
  return {
    name: 'bundle',
    ending: 'zip',
    perMailbox: false,
    addsAtOnce: 1,
    open: (file) => openBundle(file, prover, signer, readme),
    sums: async (file, sha256) => [`${sha256}  ${basename(file)}`],
  }
}

async function openBundle(file: string, prover: Prover, signer: Signer, readme: string): Promise<Part> {
  const zip = await openZip(file)
  const sums: string[] = []
  const metadata: string[] = []
  const ledger: string[] = []
  const errors: string[] = []
  const counts: Record<string, { messages: number; octets: number; proven: number; errors: number }> = {}
  const seals = new Map<number, SignedSeal>()
  const countOf = (mailbox: string) => {
    counts[mailbox] ??= { messages: 0, octets: 0, proven: 0, errors: 0 }
    return counts[mailbox]
  }
  const addText = async (name: string, text: string | Buffer): Promise<void> => {
    const content = memoryOctets(Buffer.from(text))
    sums.push(`${content.sha256}  ${name}`)
    await zip.add(name, content)
  }
  const fail = (message: ArchivedMessage, { code, message: reason }: IngestError): void => {
    const { mailbox, entry } = message
    countOf(mailbox).errors++
    errors.push(JSON.stringify({ mailbox, sha256: entry.sha256, code, reason }))
  }

  return {
    async add(message, octets) {
      const { mailbox, seq, archivedAt, entry } = message
      const digest = entry.sha256 as Sha256
      const name = `messages/${mailbox}/${digest}.eml`
      await zip.add(name, octets)
      sums.push(`${octets.sha256}  ${name}`)
      const count = countOf(mailbox)
      count.messages++
      count.octets += octets.length
      metadata.push(JSON.stringify({ mailbox, segment: seq, archivedAt, file: name, ...entry }))
      try {
        const { line, entry: text, header, sha256 } = await prover.lineOf(mailbox, seq, digest)
        ledger.push(
          JSON.stringify({ mailbox, segment: seq, segmentSha256: sha256, header, line, entry: text }),
        )
        const proof = await prover.prove(mailbox, seq, digest)
        await addText(`proofs/${mailbox}/${digest}.json`, `${JSON.stringify(proof, undefined, 1)}\n`)
        seals.set(readSeal(proof, name).seq, proof)
        count.proven++
      } catch (error) {
        if (!(error instanceof IngestError) || !UNPROVEN.has(error.code)) throw error
        fail(message, error)
      }
    },
    async miss(message, error) {
      fail(message, error)
    },
    async end() {
      for (const [seq, { seal, signature: signed, timestamps }] of seals) {
        const name = `seals/${String(seq).padStart(10, '0')}`
        await addText(`${name}.json`, seal)
        await addText(`${name}.sig`, Buffer.from(signed, 'base64'))
        for (const [index, { response }] of timestamps.entries())
          await addText(`${name}-${index + 1}.tsr`, Buffer.from(response, 'base64'))
      }
      const lines = (texts: readonly string[]): string => texts.map((text) => `${text}\n`).join('')
      await addText('metadata.ndjson', lines(metadata))
      await addText('ledger.ndjson', lines(ledger))
      await addText('errors.ndjson', lines(errors))
      await addText('counts.json', `${JSON.stringify(counts, undefined, 1)}\n`)
      await addText('public-key.pem', await signer.publicKey())
      await addText('README.txt', readme)
      const text = Buffer.from(lines(sums))
      const signed = await signature(text, signer)
      await zip.add('SHA256SUMS', memoryOctets(text))
      await zip.add('SHA256SUMS.sig', memoryOctets(signed))
      return zip.end()
    },
    abort: () => zip.abort(),
  }
}

/** What leaves a message without proof, and the export with the message. */
const UNPROVEN: ReadonlySet<string> = new Set(['NOT_SEALED', 'SEAL_INVALID', 'LEDGER_CORRUPT'])
