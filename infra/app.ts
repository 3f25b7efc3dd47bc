import { join } from 'node:path'
import { Annotations, App, CfnParameter, type Stack, Tags, Validations } from 'aws-cdk-lib'
import { Platform } from 'aws-cdk-lib/aws-ecr-assets'
import * as ecs from 'aws-cdk-lib/aws-ecs'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import { deploymentOf } from '../shared/contract/deployment.ts'
import { type Configuration, readConfiguration, UnusableConfiguration } from './configuration.ts'
import { mailsluiceStacks } from './stacks.ts'

// The app of cdk.json: two stacks from mailsluice.yaml (-c config=FILE), for whatever account and region they are deployed to. It asks nobody
// anything: no credentials, no network, no docker. A deployment with the relay builds its image, and that takes docker.

const BUNDLES = join(import.meta.dirname, '..', 'dist')

const app = new App({ analyticsReporting: false })
const { config, file, example } = configured(app)
const aws = deploymentOf(config)

const { archive, ingest } = mailsluiceStacks(app, config, {
  code: (name) => lambda.Code.fromAsset(join(BUNDLES, name)),
  relay: aws.relay.enabled ? { ...aws.relay, image: relayImage() } : undefined,
})
Tags.of(app).add('application', aws.stack)
if (example) for (const stack of [archive, ingest]) refuseDeployment(stack)
app.synth()

function configured({ node }: App): Configuration {
  try {
    return readConfiguration(node.tryGetContext('config') as string | undefined)
  } catch (error) {
    if (!(error instanceof UnusableConfiguration)) throw error
    console.error(error.message)
    process.exit(2)
  }
}

function relayImage(): ecs.ContainerImage {
  return ecs.ContainerImage.fromAsset(join(BUNDLES, 'idle-relay'), { platform: Platform.LINUX_ARM64 })
}

/** A parameter that nobody gives a value: the templates can be read, and a deployment stops before it begins. */
function refuseDeployment(stack: Stack): void {
  new CfnParameter(stack, 'WriteMailsluiceYamlFirst', {
    description:
      'These stacks come from an example. Write mailsluice.yaml (mailsluice init) and synthesize again.',
  })
  Validations.of(stack).acknowledge({
    id: 'CloudFormation-Validate::W2001',
    reason: 'The parameter is there to have no value, not to be used.',
  })
  Annotations.of(stack).addWarningV2(
    'mailsluice:example',
    `There is no mailsluice.yaml here: this is ${file}, to look at. It cannot be deployed.`,
  )
}
