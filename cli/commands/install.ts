// tidemill install: puts tidemill into a cluster, or brings what is there up to date.
import type { Define } from '../cli.ts';
import { CliError, EXIT } from '../exit.ts';
import type { ClusterOptions } from '../install/cluster/connect.ts';
import type { InstallOptions } from '../install/install.ts';

const EXAMPLES = `Examples:
  tidemill install --image ghcr.io/you/tidemill:1.0.0 --s3-bucket tidemill-you --site-host sites.example.com
  tidemill install --image ghcr.io/you/tidemill:1.0.0 --overlay jetstream --nats nats://nats.nats.svc:4222
  tidemill install --image ghcr.io/you/tidemill:1.1.0 --dry-run     what an upgrade would change
  tidemill install --project-namespace docs                         one more namespace for projects

`;

const NOTES = `
What was said at the first install is kept by the later ones. The keys of S3 come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY,
those of NATS from TIDEMILL_NATS_TOKEN, or TIDEMILL_NATS_USER and TIDEMILL_NATS_PASSWORD. The image is made by \`npm run image\`.`;

type Options = Omit<InstallOptions, 'timeout_s'> & ClusterOptions & { timeout: string; yes?: boolean };

const MAX_TIMEOUT_S = 3600;

export const define: Define = (program, cli) => {
  program
    .command('install')
    .summary('put tidemill into a cluster, or upgrade it')
    .description('Checks the cluster of the current kube context, says what is missing, and applies tidemill to it; again, to upgrade.')
    .addHelpText('before', EXAMPLES)
    .addHelpText('after', NOTES)
    .option('--overlay <name>', 'knative: functions sleep until they are needed. jetstream: no Knative needed, events by NATS (default: knative)')
    .option('--size <name>', 'small, or production: more of what somebody waits for (default: small)')
    .option('--namespace <name>', 'where tidemill itself runs', 'tidemill-system')
    .option('--image <name>', 'the image of all functions')
    .option('--build-image <name>', 'what builds run in: sh, node, npm and git (default: docker.io/library/node:24)')
    .option('--project-namespace <name>', 'a namespace for projects, again for more (default: default)', (name: string, all: string[] | undefined) => [
      ...(all ?? []),
      name,
    ])
    .option('--nats <url>', 'NATS with JetStream (default: nats://nats.nats.svc.cluster.local:4222)')
    .option('--nats-prefix <word>', 'first word of its subjects and streams there (default: tidemill)')
    .option('--s3-endpoint <url>', 'a server that speaks S3 (default: AWS)')
    .option('--s3-bucket <name>', 'made when it is missing (default: tidemill)')
    .option('--s3-region <name>', 'default: AWS_REGION, else us-east-1')
    .option('--s3-secret <name>', 'take the keys from this Secret, as [namespace/]name; "none": pods are let in by themselves')
    .option('--site-host <name>', 'a site is served on <project>.<name>')
    .option('--hooks-allow <ranges>', 'private addresses that hooks may lead to, such as 10.1.0.0/16, with commas between (default: none)')
    .option('--no-tekton-events', "leave Tekton's config-events as it is")
    .option('--timeout <seconds>', 'until it has to work', '300')
    .option('--kubeconfig <file>', 'default: KUBECONFIG, else ~/.kube/config')
    .option('--context <name>', "default: the kubeconfig's current one")
    .option('--dry-run', 'show what would be created, changed and deleted, and change nothing')
    .option('--yes', 'do not ask')
    .action(async ({ timeout, yes, kubeconfig, context, ...words }: Options) => {
      const timeout_s = Number(timeout);
      if (!Number.isInteger(timeout_s) || timeout_s < 1 || timeout_s > MAX_TIMEOUT_S)
        throw new CliError(EXIT.usage, `--timeout wants seconds, from 1 to ${MAX_TIMEOUT_S}`);
      const [{ openCluster }, { installCommand }] = await Promise.all([import('../install/cluster/connect.ts'), import('../install/command.ts')]);
      const cluster = await openCluster({ kubeconfig, context });
      try {
        await installCommand(cluster, { ...words, timeout_s }, cli, yes === true);
      } finally {
        cluster.close();
      }
    });
};
