import { writeFileSync } from 'node:fs'
import { parseMessage } from '../../shared/mail/parse-message.ts'
import { corpus } from './corpus.ts'
import { corpusEvent, SNAPSHOTS, snapshotLine } from './corpus-events.ts'

// Writes test/fixtures/corpus-events.tsv anew: after a change of the parser, whose version is then raised.

const lines: string[] = []
for (const { name, octets } of corpus())
  lines.push(snapshotLine(name, corpusEvent(octets, await parseMessage(octets))))
writeFileSync(SNAPSHOTS, `${lines.join('\n')}\n`)
