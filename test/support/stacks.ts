import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { App } from 'aws-cdk-lib'
import * as ecs from 'aws-cdk-lib/aws-ecs'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import cdkJson from '../../cdk.json' with { type: 'json' }
import type { ArchiveStack } from '../../infra/archive-stack.ts'
import type { RelayOptions } from '../../infra/constructs/idle-relay.ts'
import type { IngestStack } from '../../infra/ingest-stack.ts'
import { mailsluiceStacks } from '../../infra/stacks.ts'
import { parseConfig } from '../../shared/contract/config-text.ts'
import { deploymentProblems } from '../../shared/contract/deployment.ts'
import { type TemplateJson, Templates } from './templates.ts'

// The stacks of a configuration, synthesized in this process. Bundles are not needed for templates: a file stands for each.

/** What the app of cdk.json runs with: CloudFormation's own checks of a template are errors. */
export const CONTEXT: Readonly<Record<string, unknown>> = (cdkJson as { context: Record<string, unknown> })
  .context

export interface Stacks {
  readonly app: App
  readonly archive: ArchiveStack
  readonly ingest: IngestStack
}

const scratch = mkdtempSync(join(tmpdir(), 'mailsluice-stacks-'))
after(() => rmSync(scratch, { recursive: true, force: true }))

/** Code that is there and does nothing. */
export function emptyCode(): lambda.Code {
  const folder = join(scratch, 'bundle')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'index.mjs'), 'export const handler = async () => undefined\n')
  return lambda.Code.fromAsset(folder)
}

/** The smallest mailsluice.yaml that can be deployed, with the lines of `aws` and further text added; `more` are settings of the top. */
export function yaml({ aws = '', mailboxes = '', archive = '', queues = '', more = '' } = {}): string {
  const indented = (text: string): string => text.replace(/^(?=.)/gm, '  ')
  return [
    'archive:',
    '  retention: { days: 2555 }',
    indented(archive),
    'queues:',
    '  default: mail-events',
    '  invoices: invoice-events',
    '  tickets: ticket-events.fifo',
    indented(queues),
    'mailboxes:',
    '  - { id: invoices, protocol: imap, host: imap.example.com, user: a, credential: "ssm:/mailsluice/invoices" }',
    '  - { id: support, protocol: pop3, host: pop.example.com, user: b, credential: "secretsmanager:support", every: 1h }',
    indented(mailboxes),
    more,
    ...(aws === '' ? [] : ['aws:', indented(aws)]),
  ].join('\n')
}

/** `relay`: by a container that nobody builds. */
export function build(
  text: string,
  { relay }: { readonly relay?: Omit<RelayOptions, 'image'> } = {},
): Stacks {
  const { config, problems } = parseConfig(text)
  if (!config) throw new Error(problems.join('\n'))
  const undeployable = deploymentProblems(config)
  if (undeployable.length > 0) throw new Error(undeployable.join('\n'))
  const app = new App({
    outdir: mkdtempSync(join(scratch, 'cdk-')),
    context: CONTEXT,
  })
  const image = ecs.ContainerImage.fromRegistry('registry.example/relay')
  return { app, ...mailsluiceStacks(app, config, { code: emptyCode, relay: relay && { ...relay, image } }) }
}

/** The templates of a configuration; see `yaml`. */
export function templates(text: string = yaml(), options: Parameters<typeof build>[1] = {}): Templates {
  const { app } = build(text, options)
  return new Templates(app.synth().stacks.map(({ template }) => template as TemplateJson))
}
