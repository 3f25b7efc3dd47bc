/** What a recipient of a bundle reads first. `keyKind`: ed25519 or ec, as Node names them. */
export function bundleReadme(keyKind: string | undefined): string {
  const check = (sums: string, signature: string, key: string): string =>
    keyKind === 'ed25519'
      ? `openssl pkeyutl -verify -pubin -inkey ${key} -rawin -in ${sums} -sigfile ${signature}`
      : `openssl dgst -sha256 -verify ${key} -signature ${signature} ${sums}`
  return `E-mail messages from an archive, with what shows that they are unchanged
=======================================================================

messages/MAILBOX/SHA256.eml   each message, octet by octet as the mail server sent it; its name is its SHA-256
metadata.ndjson               a line for each: mailbox, when it was archived, sender, recipients, subject, attachments
ledger.ndjson                 the lines of the archive's ledger that name them, and the header of their segment
proofs/MAILBOX/SHA256.json    that this line was in the ledger when a seal was made
seals/NUMBER.json, .sig       the seals, and their signatures; .tsr: answers of timestamp authorities (RFC 3161)
errors.ndjson                 messages that could not be read, or have no proof, and why; empty when there are none
counts.json                   messages, octets, proofs and errors of each mailbox
SHA256SUMS, SHA256SUMS.sig    of every other file in here; the signature over it
public-key.pem                the key that made the signatures. Do not trust the copy in here: ask for its fingerprint on another way.

To check it, in the folder that this was unpacked to:

1. The key is the one that you were told of:

   openssl pkey -pubin -in public-key.pem -outform DER | sha256sum

2. The list of files is signed by it:

   ${check('SHA256SUMS', 'SHA256SUMS.sig', 'public-key.pem')}

3. Every file is what the list says:

   sha256sum --check --strict SHA256SUMS

4. A seal is signed by it, and was there at a time that an authority vouches for (with the authority's certificate):

   ${check('seals/NUMBER.json', 'seals/NUMBER.sig', 'public-key.pem')}
   openssl ts -verify -data seals/NUMBER.json -in seals/NUMBER-1.tsr -CAfile authority.pem

5. A message was in the ledger under a seal: the path of its proof leads from the line to the root in the seal (RFC 9162, 2.1.3).
   The leaf is SHA-256 of: octet 0, then "ledger/MAILBOX/SEGMENT.ndjson" (segment with ten digits), line feed, number of the line,
   line feed, the line. With Mailsluice, which asks nobody for it:

   npx mailsluice archive verify-proof messages/MAILBOX/SHA256.eml proofs/MAILBOX/SHA256.json --key public-key.pem
`
}
