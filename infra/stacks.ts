import type { App } from 'aws-cdk-lib'
import type { Config } from '../shared/contract/config.ts'
import { archiveStackName, deploymentOf, ingestStackName } from '../shared/contract/deployment.ts'
import { ArchiveStack } from './archive-stack.ts'
import type { MailIngestProps } from './constructs/mail-ingest.ts'
import { IngestStack } from './ingest-stack.ts'
import { archiveProps, ingestProps } from './stack-props.ts'

/** Both stacks of a configuration, ingest on archive. What is to run, and whether the relay does, is the caller's. */
export function mailsluiceStacks(
  app: App,
  config: Config,
  { code, relay }: Pick<MailIngestProps, 'code' | 'relay'>,
): { readonly archive: ArchiveStack; readonly ingest: IngestStack } {
  const aws = deploymentOf(config)
  const archive = new ArchiveStack(app, archiveStackName(aws), {
    archive: archiveProps(config),
    recordsOfficer: aws.recordsOfficer,
    search: { deployment: aws.stack, ...aws.search },
  })
  const ingest = new IngestStack(app, ingestStackName(aws), {
    ingest: { ...ingestProps(config), archive: archive.archive, code, relay },
  })
  return { archive, ingest }
}
